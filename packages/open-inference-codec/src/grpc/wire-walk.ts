/**
 * Walks the fields of a protobuf message without decoding it. The walk ends at invalid bytes, which the decoder
 * reports.
 */

export interface WireField {
  readonly number: number;
  readonly wireType: number;
  readonly start: number;
  readonly end: number;
}

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export interface WireRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Visits fields until `visit` returns false. */
export function walkFields({ bytes, start, end }: WireRange, visit: (field: WireField) => unknown): void {
  for (let at = start; at < end; ) {
    const tag = readVarint(bytes, at, end);
    if (tag === undefined) return;
    const wireType = tag.value % 8;
    const content = contentOf(bytes, { start: tag.next, end }, wireType);
    if (content === undefined || content.end > end) return;
    if (visit({ number: Math.floor(tag.value / 8), wireType, ...content }) === false) return;
    at = content.end;
  }
}

/** Counts varints: only the last byte of a varint is below 128. */
export function countVarints({ bytes, start, end }: WireRange): number {
  let count = 0;
  for (let at = start; at < end; at++) if ((bytes[at] as number) < 0x80) count += 1;
  return count;
}

interface Content {
  readonly start: number;
  readonly end: number;
}

function contentOf(bytes: Uint8Array, { start, end }: Content, wireType: number): Content | undefined {
  switch (wireType) {
    case wireTypes.varint: {
      const varint = readVarint(bytes, start, end);
      return varint && { start, end: varint.next };
    }
    case wireTypes.fixed64:
      return { start, end: start + 8 };
    case wireTypes.bytes: {
      const length = readVarint(bytes, start, end);
      return length && { start: length.next, end: length.next + length.value };
    }
    case wireTypes.fixed32:
      return { start, end: start + 4 };
    default:
      return undefined;
  }
}

/** Reads a varint. Values above 2^53 are rounded, but valid lengths and tags are smaller. */
function readVarint(bytes: Uint8Array, start: number, end: number): { value: number; next: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 10; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
    scale *= 128;
  }
  return undefined;
}
