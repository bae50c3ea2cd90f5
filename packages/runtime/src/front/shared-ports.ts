/**
 * Which ports fronts listen on. All of them share one listening socket for each port, which lasts as long as one of them has it. Where any free
 * port will do, those that listen on port 0 are given the same one (node:cluster), so it is never chosen ahead and cannot be taken by anybody
 * else in between; once none of them is left, the next ones ask for it by its number.
 */

/** Ports to listen on; 0 takes a free one. */
export interface AskedPorts {
  readonly port: number;
  /** Left out, there is no gRPC. */
  readonly grpcPort?: number;
}

/** Where a front listens. */
export interface ListeningAt {
  readonly url: string;
  readonly grpcAddress?: string;
}

/** Keeps all fronts on the same ports. */
export class SharedPorts {
  #ports: AskedPorts;
  #taken: ListeningAt | undefined;
  /** Fronts that were started with the ports as they were asked for. */
  readonly #sharing = new Set<object>();

  constructor(asked: AskedPorts) {
    this.#ports = asked;
  }

  /** What `front`, which starts now, is to listen on. */
  next(front: object): AskedPorts {
    this.#sharing.add(front);
    return this.#ports;
  }

  /** Takes in where a front listens; false where that is not where the others did, who were gone before it: it has to go, too. */
  listens({ url, grpcAddress }: ListeningAt): boolean {
    this.#taken ??= { url, ...(grpcAddress !== undefined && { grpcAddress }) };
    if (url === this.#taken.url && grpcAddress === this.#taken.grpcAddress) return true;
    this.#byNumber();
    return false;
  }

  /** A front is gone. */
  gone(front: object): void {
    this.#sharing.delete(front);
    if (this.#sharing.size === 0) this.#byNumber();
  }

  #byNumber(): void {
    if (this.#taken !== undefined) this.#ports = numbersOf(this.#taken);
  }
}

function numbersOf({ url, grpcAddress }: ListeningAt): AskedPorts {
  const { port, protocol } = new URL(url);
  return {
    // A URL leaves out the port that is usual for it.
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    ...(grpcAddress !== undefined && { grpcPort: Number(grpcAddress.slice(grpcAddress.lastIndexOf(':') + 1)) }),
  };
}
