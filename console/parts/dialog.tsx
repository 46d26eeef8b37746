/**
 * Windows over the page, messages that go by, and the answer to "are you sure".
 * @module
 */
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Store, useStore } from "../store.ts";
import { Commands } from "./commands.tsx";
import { Icon } from "./icon.tsx";

/** A window that keeps the keyboard until it is closed, by Escape as well. */
export function Dialog(
  { title, onClose, children, isWide = false }: {
    readonly title: string;
    readonly onClose: () => void;
    readonly children: ComponentChildren;
    readonly isWide?: boolean;
  },
): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  // One that is taken away is closed as well, which nobody has asked for.
  const isHere = useRef(true);
  // Before it is painted: a key may come at once.
  useLayoutEffect(() => {
    const opened = element.current;
    if (opened && !opened.open) opened.showModal();
    return () => {
      isHere.current = false;
      opened?.close();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={isWide ? "dialog wide" : "dialog"}
      aria-label={title}
      onClose={() => isHere.current && onClose()}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="plain" onClick={onClose} aria-label="Close">
          <Icon name="close" />
        </button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

/** A message that goes by. */
interface Message {
  readonly text: string;
  readonly isError: boolean;
}

const MESSAGE_MS = 5000;
const messages = new Store<readonly Message[]>([]);

/** Shows a message for some seconds. */
export function tell(text: string, { isError = false } = {}): void {
  const message = { text, isError };
  messages.value = [...messages.value.slice(-3), message];
  setTimeout(() => messages.value = messages.value.filter((one) => one !== message), MESSAGE_MS);
}

/** The place of messages. */
export function Messages(): JSX.Element {
  return (
    <div class="messages" role="status" aria-live="polite">
      {useStore(messages).map(({ text, isError }) => (
        <p key={text} class={isError ? "message error" : "message"}>{text}</p>
      ))}
    </div>
  );
}

/** A question that is open. */
interface Question {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  /** Commands that do the same. */
  readonly commands: readonly string[];
  /** What has to be typed first; empty: nothing. */
  readonly typed: string;
  readonly isSafe: boolean;
  answer(isYes: boolean): void;
}

const question = new Store<Question | undefined>(undefined);

/** Takes away a question that is open: what it is about is not the caller's any more. */
export function withdrawQuestion(): void {
  question.value?.answer(false);
}

/**
 * Asks before something is done that cannot be undone.
 * @param action What the button says, such as `Drop the table`.
 */
export function confirmed(
  { title, text, action, commands = [], typed = "", isSafe = false }: {
    readonly title: string;
    readonly text: string;
    readonly action: string;
    readonly commands?: readonly string[];
    /** A word that has to be typed first, where much would be lost. */
    readonly typed?: string;
    /** Whether nothing is lost by it. @default {false} */
    readonly isSafe?: boolean;
  },
): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      title,
      text,
      action,
      commands,
      typed,
      isSafe,
      answer(isYes) {
        question.value = undefined;
        resolve(isYes);
      },
    };
  });
}

/** The place of questions. */
export function Questions(): JSX.Element | null {
  const open = useStore(question);
  return open ? <OpenQuestion key={open.title} open={open} /> : null;
}

function OpenQuestion({ open }: { readonly open: Question }): JSX.Element {
  const [entered, setEntered] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    if (entered.trim() === open.typed) open.answer(true);
  };
  return (
    <Dialog title={open.title} onClose={() => open.answer(false)}>
      <form onSubmit={send}>
        <p class="pre">{open.text}</p>
        <Commands commands={open.commands} />
        {open.typed !== "" && (
          <label class="typed">
            Type {open.typed} to go on
            <input
              autocomplete="off"
              spellcheck={false}
              value={entered}
              onInput={(event) => setEntered(event.currentTarget.value)}
            />
          </label>
        )}
        <footer>
          <button type="button" onClick={() => open.answer(false)}>Cancel</button>
          <button type="submit" class={open.isSafe ? "primary" : "danger"} disabled={entered.trim() !== open.typed}>
            {open.action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
