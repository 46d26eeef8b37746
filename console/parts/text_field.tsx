/**
 * A field of a form, with its label.
 * @module
 */
import type { JSX, TargetedInputEvent } from "preact";

/** The field. */
export function TextField(
  { label, value, isSecret = false, onInput, ...others }: {
    readonly label: string;
    readonly value: string;
    /** Whether it is a password. @default {false} */
    readonly isSecret?: boolean;
    readonly onInput: (text: string) => void;
    readonly name?: string;
    readonly required?: boolean;
    readonly readOnly?: boolean;
    readonly pattern?: string;
    readonly title?: string;
    readonly placeholder?: string;
  },
): JSX.Element {
  const given = {
    ...others,
    value,
    onInput: (event: TargetedInputEvent<HTMLInputElement>) => onInput(event.currentTarget.value),
  };
  return (
    <label>
      {label}
      {isSecret
        ? <input type="password" autocomplete="new-password" {...given} />
        : <input autocomplete="off" spellcheck={false} {...given} />}
    </label>
  );
}
