/**
 * Memory of waiting parts by client. If it is full, the client with the most of it makes room for others with its own
 * parts, the oldest first. So a client that parks large parts keeps no other client out.
 */

interface ParkedPart {
  readonly bytes: number;
  /** Parts without a client never make room. */
  readonly options: { readonly client?: object | undefined };
}

interface ClientParts<Part> {
  readonly parts: Set<Part>;
  bytes: number;
}

/** Enough for all numbers of bytes. */
const SIZE_CLASSES = 64;

export class ParkedBytes<Part extends ParkedPart> {
  readonly #byClient = new Map<object, ClientParts<Part>>();
  /** Clients by the binary logarithm of their bytes, so that one of those with the most is found without a search. */
  readonly #bySize = Array.from({ length: SIZE_CLASSES }, () => new Set<ClientParts<Part>>());

  add(part: Part): void {
    const { client } = part.options;
    if (client === undefined) return;
    const all = this.#byClient.get(client) ?? { parts: new Set(), bytes: 0 };
    this.#byClient.set(client, all);
    all.parts.add(part);
    this.#resize(all, part.bytes);
  }

  remove(part: Part): void {
    const { client } = part.options;
    const all = client && this.#byClient.get(client);
    if (client === undefined || !all?.parts.delete(part)) return;
    this.#resize(all, -part.bytes);
    if (all.parts.size === 0) this.#byClient.delete(client);
  }

  /**
   * Parts of a client with about the most bytes, the oldest first. Undefined if it would have less than `client` after
   * it had given `lacking` bytes away, and `client` had got `bytes`.
   */
  heavierThan(client: object, { bytes, lacking }: { readonly bytes: number; readonly lacking: number }) {
    const own = this.#byClient.get(client)?.bytes ?? 0;
    for (let size = SIZE_CLASSES - 1; size >= 0; size--)
      for (const all of this.#ofSize(size)) return all.bytes - lacking >= own + bytes ? all.parts : undefined;
    return undefined;
  }

  #resize(all: ClientParts<Part>, bytes: number): void {
    this.#ofSize(sizeClass(all.bytes)).delete(all);
    all.bytes += bytes;
    if (all.parts.size > 0) this.#ofSize(sizeClass(all.bytes)).add(all);
  }

  #ofSize(size: number): Set<ClientParts<Part>> {
    return this.#bySize[size] as Set<ClientParts<Part>>;
  }
}

const sizeClass = (bytes: number): number => Math.floor(Math.log2(Math.max(1, bytes)));
