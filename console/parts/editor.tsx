/**
 * The place of the editor: a plain field for text until the editor is loaded, and if it cannot be.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Store, useStore } from "../store.ts";
import type { SqlEditor, SqlSchema } from "./editor_view.ts";

/** The editor. */
export function Editor(
  { draft, schema, onRun, handle }: {
    /** The text: both ways. */
    readonly draft: Store<string>;
    readonly schema: SqlSchema;
    readonly onRun: () => void;
    /** Gets the editor, to ask it what is selected. */
    readonly handle: { current: SqlEditor | undefined };
  },
): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const text = useStore(draft);
  const [isLoaded, setLoaded] = useState(false);
  // The editor is made once, and calls what is current.
  const latest = useRef({ schema, onRun });
  latest.current = { schema, onRun };
  useEffect(() => {
    let isHere = true;
    import("./editor_view.ts").then(({ mountEditor }) => {
      if (!isHere || !host.current) return;
      handle.current = mountEditor(host.current, {
        text: draft.value,
        schema: latest.current.schema,
        onChange: (next) => draft.value = next,
        onRun: () => latest.current.onRun(),
      });
      setLoaded(true);
      handle.current.focus();
    }, () => {}); // the plain field does
    // At once, and not when it is drawn again: by then somebody may have typed more.
    const unwatch = draft.watch((text) => handle.current?.setText(text));
    return () => {
      isHere = false;
      unwatch();
      handle.current?.close();
      handle.current = undefined;
    };
  }, []);
  useEffect(() => handle.current?.setSchema(schema), [schema, isLoaded]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || isLoaded) return;
    event.preventDefault();
    onRun();
  };
  return (
    <div class="editor">
      <div class="editor-host" ref={host} hidden={!isLoaded} />
      {!isLoaded && (
        <textarea
          aria-label="SQL"
          spellcheck={false}
          value={text}
          onInput={(event) => draft.value = event.currentTarget.value}
          onKeyDown={onKeyDown}
        />
      )}
    </div>
  );
}
