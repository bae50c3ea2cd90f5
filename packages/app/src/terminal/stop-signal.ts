/** SIGINT and SIGTERM as a promise: the first asks for a graceful stop, a second one ends the process at once. */

export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      // A plain exit would abort inside a model that is running in its thread.
      if (asked) process.kill(process.pid, 'SIGKILL');
      asked = true;
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
