/** The way from the near end of a replica to its far end, whatever the far end is. */
import type { FromReplica, ToReplica } from './replica-protocol.js';

/** What a channel tells. */
export interface ChannelListener {
  received(message: FromReplica): void;
  /** An answer arrived that cannot be read; `problem` goes into a sentence after the replica's name and "lost a replica: ". */
  garbled(problem: string): void;
  /** The far end is gone: told once, nothing is told after it. `reason` is used as `problem` is. */
  ended(reason: string): void;
}

/** A started far end. */
export interface ReplicaChannel {
  /** Names the one listener; nothing is told before. */
  listen(listener: ChannelListener): void;
  /** Sends a message and gives its tensors up (but see `keepsTensors`); one to a far end that is gone is forgotten. */
  send(message: ToReplica): void;
  /**
   * Gives up a far end that does not answer or is not to be trusted any more; `ended` is told now or soon. A process is killed. A thread
   * cannot be: it is asked to close, no longer keeps this process alive, and is not waited for.
   */
  abandon(): void;
  /** Whether the tensors of a batch that was sent stay as they are. */
  readonly keepsTensors: boolean;
  /** Resident memory of a far end that is a process of its own; undefined where the system does not tell. */
  readonly residentBytes?: () => number | undefined;
}
