/**
 * How a large answer goes out: piece by piece, each once the one before it has left. Whether its client takes it shows in that, which it does not
 * where all is handed over at once, above all not over TLS.
 */

/** What a client has to take of an answer in the time that it may take nothing. */
const PIECE_BYTES = 1024 * 1024;

/** A response or a stream. */
export interface AnswerSink {
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

/** Whether these bytes go out in pieces. */
export function isLargeAnswer(length: number): boolean {
  return length > PIECE_BYTES;
}

/** Writes an answer to its end in pieces; stops when the sink is closed. */
export function writeInPieces(sink: AnswerSink, parts: readonly Uint8Array[]): void {
  const pieces = piecesOf(parts);
  const more = () => {
    for (let { value, done } = pieces.next(); !done; { value, done } = pieces.next()) {
      if (value !== undefined && !sink.write(value)) {
        sink.once('drain', more);
        return;
      }
    }
    sink.end();
  };
  more();
}

function* piecesOf(parts: readonly Uint8Array[]): Generator<Uint8Array, undefined> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
  }
}
