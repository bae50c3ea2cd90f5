/**
 * Writes the fields of a protobuf message into one buffer. The library's reflection and its writer make several objects
 * for each field, which takes several times as long.
 */
import { WireType } from '@bufbuild/protobuf/wire';

/** Up to this length, a loop over the characters takes less time than a native call. */
const SHORT_TEXT = 48;
/** Maximum UTF-8 bytes per UTF-16 unit, and bytes of a varint. */
const MOST_BYTES = { unit: 3, varint: 10 };

export class MessageWriter {
  #buffer: Buffer<ArrayBuffer>;
  #length = 0;

  /** `bytes`: expected length of the message; a longer one is copied. */
  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  get message(): Uint8Array<ArrayBuffer> {
    const { buffer, byteOffset } = this.#buffer;
    return new Uint8Array(buffer, byteOffset, this.#length);
  }

  text(field: number, text: string): void {
    this.#reserve(MOST_BYTES.unit * text.length);
    this.#tag(field, WireType.LengthDelimited);
    const start = this.#length + 1;
    const end = text.length <= SHORT_TEXT ? this.#ascii(text, start) : undefined;
    if (end === undefined) {
      this.#varint(Buffer.byteLength(text));
      this.#length += this.#buffer.write(text, this.#length);
    } else {
      this.#varint(text.length);
      this.#length = end;
    }
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#tag(field, WireType.LengthDelimited);
    this.#varint(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Packed non-negative integers. */
  integers(field: number, integers: readonly number[]): void {
    this.nested(field, () => {
      this.#reserve(MOST_BYTES.varint * integers.length);
      for (const integer of integers) this.#varint(integer);
    });
  }

  /** A message that `write` writes by this writer. */
  nested(field: number, write: () => void): void {
    this.#reserve(0);
    this.#tag(field, WireType.LengthDelimited);
    const start = this.#length + 1;
    this.#length = start;
    write();
    const length = this.#length - start;
    const moved = varintBytes(length) - 1;
    if (moved > 0) {
      this.#reserve(moved);
      this.#buffer.copyWithin(start + moved, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  /** Makes place for a field of `bytes` with its tag and length. */
  #reserve(bytes: number): void {
    const least = this.#length + bytes + 2 * MOST_BYTES.varint;
    if (least <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(least, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  /** Writes text at `start`; undefined if it is not ASCII, otherwise its end. */
  #ascii(text: string, start: number): number | undefined {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) return undefined;
      this.#buffer[start + at] = code;
    }
    return start + text.length;
  }

  #tag(field: number, wireType: WireType): void {
    this.#varint(8 * field + wireType);
  }

  #varint(integer: number): void {
    let left = integer;
    while (left >= 0x80) {
      this.#buffer[this.#length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#buffer[this.#length++] = left;
  }
}

function varintBytes(integer: number): number {
  let bytes = 1;
  for (let left = integer; left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}
