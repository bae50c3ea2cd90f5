/**
 * The first process of a container ignores SIGTERM unless it listens. A pod that is deleted while its program loads would run until the
 * kubelet kills it, and take room meanwhile.
 */
const FIRST_PROCESS = 1;
/** 128 and the number of the signal, as for a process that the signal ended. */
const ENDED_BY_SIGTERM = 143;

const end = (): never => process.exit(ENDED_BY_SIGTERM);

/** Lets SIGTERM end the first process of a container, as it ends any other, unless something else listens. */
export function endAtSigterm(): void {
  if (process.pid === FIRST_PROCESS && process.listenerCount('SIGTERM') === 0) process.on('SIGTERM', end);
}

/** For a command that listens itself. */
export function leaveSigtermToCommand(): void {
  process.removeListener('SIGTERM', end);
}
