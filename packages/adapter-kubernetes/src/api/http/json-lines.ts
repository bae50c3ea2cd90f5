/** JSON values out of a stream of bytes, one a line. A broken line rejects: what comes after it could not be trusted either. */

/** The values in order; bytes after the last line end are a value only if the stream ended well. */
export async function* jsonLines(bytes: AsyncIterable<unknown>): AsyncIterable<unknown> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    // Most chunks of a large object hold no line end; only then is the text so far searched again.
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== '') yield JSON.parse(line);
      end = rest.indexOf('\n');
    }
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield JSON.parse(rest);
}
