/**
 * SIGINT and SIGTERM as a promise: the first asks for a graceful stop, a later one ends the process at once. One key press may arrive
 * twice, from the terminal and from npm, which passes signals on; so what follows closely is the same request.
 */

const SAME_REQUEST_MS = 1000;

export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const onSignal = () => {
      firstAtMs ??= performance.now();
      resolve();
      // A plain exit would abort inside a model that is running in its thread.
      if (performance.now() - firstAtMs > SAME_REQUEST_MS) process.kill(process.pid, 'SIGKILL');
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
