/**
 * The text of a body from outside, as far as it may be long.
 * @module
 */

/** The text, or undefined when it is longer than `bytesMax`: the rest is not read. */
export async function boundedText(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  bytesMax: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const piece of body ?? []) { // leaving the loop gives the body up
    bytes += piece.length;
    if (bytes > bytesMax) return undefined;
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
