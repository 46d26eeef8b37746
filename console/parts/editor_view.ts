/**
 * The editor of SQL: a part of the program of its own, loaded when the page that has it is opened.
 *
 * CodeMirror puts its styles into the root that it is in. In a document that is a style element, which the page's
 * Content-Security-Policy forbids; in a shadow root it is a constructed style sheet, which needs no exception. So it lives in
 * one.
 * @module
 */
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { sql, SQLDialect } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { FUNCTIONS, KEYWORDS, TYPES } from "../sql/words.ts";

/** Tables with their columns. */
export type SqlSchema = Readonly<Record<string, readonly string[]>>;

/** What the editor tells and needs. */
export interface SqlEditorOptions {
  readonly text: string;
  readonly schema: SqlSchema;
  onChange(text: string): void;
  onRun(): void;
}

/** The editor. */
export interface SqlEditor {
  /** Takes another text. */
  setText(text: string): void;
  setSchema(schema: SqlSchema): void;
  /** The selected text; empty for none. */
  selected(): string;
  focus(): void;
  close(): void;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.typeName, tags.bool, tags.null], color: "var(--keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: tags.number, color: "var(--number)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--muted)", fontStyle: "italic" },
]);

const THEME = EditorView.theme({
  "&": { height: "100%", fontSize: "13.5px", backgroundColor: "var(--surface)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 12px 0 8px" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none", paddingLeft: "6px" },
  ".cm-placeholder": { color: "var(--muted)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--accent-back)",
  },
  ".cm-matchingBracket": { outline: "1px solid var(--line-strong)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "6px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px", color: "var(--text)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-back)", color: "var(--accent)" },
});

/** The library's own SQLite has the words of the SQL standard, and the commands of SQLite's shell, besides SQLite's. */
const SQLITE = SQLDialect.define({
  keywords: KEYWORDS,
  types: TYPES,
  builtin: FUNCTIONS,
  operatorChars: "*+-%<>!=&|/~",
  identifierQuotes: '`"',
  specialVar: "@:?$",
});

const OF_FUNCTIONS: ReadonlySet<string> = new Set(FUNCTIONS.split(" "));

/** Keywords are completed in upper case, functions as SQLite's documentation writes them. */
function completionOf(label: string, type: string) {
  const name = label.toLowerCase();
  return OF_FUNCTIONS.has(name) ? { label: name, type: "function", boost: -1 } : { label, type, boost: -1 };
}

function language(schema: SqlSchema) {
  const tables = Object.fromEntries(Object.entries(schema).map(([name, columns]) => [name, [...columns]]));
  return sql({ dialect: SQLITE, schema: tables, upperCaseKeywords: true, keywordCompletion: completionOf });
}

/**
 * Replaces a selection that is typed over. Left to itself, a browser keeps the style of what it replaces in an attribute, which
 * the page's policy forbids and reports.
 */
const TYPED_OVER = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to, empty } = view.state.selection.main;
    const { data, inputType } = event;
    if (inputType !== "insertText" || data === null || empty || event.isComposing) return false;
    event.preventDefault();
    const replaced = () => view.state.update(view.state.replaceSelection(data), { userEvent: "input.type" });
    const isHandled = view.state.facet(EditorView.inputHandler).some((handle) =>
      handle(view, from, to, data, replaced)
    );
    if (!isHandled) view.dispatch(replaced());
    return true;
  },
});

/** Puts an editor into an element. */
export function mountEditor(host: HTMLElement, { text, schema, onChange, onRun }: SqlEditorOptions): SqlEditor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const box = document.createElement("div");
  box.style.height = "100%";
  root.replaceChildren(box);
  const schemaPart = new Compartment();
  const view = new EditorView({
    root,
    parent: box,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        schemaPart.of(language(schema)),
        syntaxHighlighting(COLOURS),
        THEME,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "SQL" }),
        TYPED_OVER,
        placeholder("SELECT …"),
        Prec.highest(
          keymap.of([{ key: "Mod-Enter", run: (target) => (closeCompletion(target), onRun(), true) }, {
            key: "Tab",
            run: acceptCompletion,
          }]),
        ),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText(next) {
      if (next === view.state.doc.toString()) return;
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: next },
        selection: { anchor: next.length },
      });
    },
    setSchema: (next) => view.dispatch({ effects: schemaPart.reconfigure(language(next)) }),
    selected() {
      const { from, to } = view.state.selection.main;
      return view.state.sliceDoc(from, to);
    },
    focus: () => view.focus(),
    close: () => view.destroy(),
  };
}
