/** Channel from the near end of a replica to its far end, a thread or a process. */
import type { FromReplica, ToReplica } from './replica-protocol.js';

export interface ChannelListener {
  received(message: FromReplica): void;
  /** An unreadable answer arrived; `problem` goes into a sentence after the replica's name and "lost a replica: ". */
  garbled(problem: string): void;
  /** The far end is gone. Called once and last; `reason` is used like `problem`. */
  ended(reason: string): void;
}

/** A started far end. */
export interface ReplicaChannel {
  /** Sets the one listener; nothing is reported before. */
  listen(listener: ChannelListener): void;
  /** Sends a message and moves its tensors (see `keepsTensors`). A message to a far end that is gone is dropped. */
  send(message: ToReplica): void;
  /**
   * Abandons a far end that does not answer or is not to be trusted; `ended` follows. A process is killed. A thread is
   * asked to close, no longer keeps this process alive, and is not awaited.
   */
  abandon(): void;
  /** Do the tensors of a sent batch stay as they are? */
  readonly keepsTensors: boolean;
  /** Resident memory of a separate process; undefined if the system does not tell. */
  readonly residentBytes?: () => number | undefined;
}
