/** Channel from the server to a replica's thread or process. */
import type { FromReplica, ToReplica } from './replica-protocol.js';

export interface ChannelListener {
  received(message: FromReplica): void;
  /** Called for an unreadable answer. `problem` completes messages such as "Stage 'x' lost a replica: …". */
  garbled(problem: string): void;
  /** Called once, as the last event; `reason` is used like `problem`. */
  ended(reason: string): void;
}

export interface ReplicaChannel {
  /** Sets the only listener; nothing is reported earlier. */
  listen(listener: ChannelListener): void;
  /** Sends a message. Takes over its tensors unless `keepsTensors`. No effect if the replica is gone. */
  send(message: ToReplica): void;
  /**
   * Abandons a replica that hangs or is not trusted; `ended` follows. A replica process is killed. A replica thread is
   * asked to close, and no longer keeps this process alive.
   */
  abandon(): void;
  /** False if sending a batch takes over its tensors. */
  readonly keepsTensors: boolean;
  /** Resident memory; undefined without a separate process, or if the system does not report it. */
  readonly residentBytes?: () => number | undefined;
}
