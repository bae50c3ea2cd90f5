interface Tries {
  /** URL that the server was resolved from. */
  readonly given: string;
  readonly count: number;
}

/** Failed tries to reach servers, each since its last success. An address that leaves its name is forgotten. */
export class FailedTries {
  /** The most recent failure is the last. */
  readonly #tries = new Map<string, Tries>();

  /** Forgets servers of the names `given` that are not among `servers`. */
  keepOnly(given: readonly string[], servers: readonly string[]): void {
    for (const [server, tries] of this.#tries)
      if (given.includes(tries.given) && !servers.includes(server)) this.#tries.delete(server);
  }

  failed(server: string, given: string): void {
    const count = this.#countOf(server) + 1;
    this.#tries.delete(server);
    this.#tries.set(server, { given, count });
  }

  succeeded(server: string): void {
    this.#tries.delete(server);
  }

  /** Servers without a failure first, then those with the oldest one. */
  inOrder<Server extends { readonly server: string }>(servers: readonly Server[]): readonly Server[] {
    const failed = [...this.#tries.keys()];
    return servers.toSorted((one, other) => failed.indexOf(one.server) - failed.indexOf(other.server));
  }

  /** Time of the next try: a slow server gets twice the time of its last try, and at last `fullMs`. */
  timeoutMs(server: string, firstMs: number, fullMs: number): number {
    return Math.min(fullMs, firstMs * 2 ** this.#countOf(server));
  }

  #countOf(server: string): number {
    return this.#tries.get(server)?.count ?? 0;
  }
}
