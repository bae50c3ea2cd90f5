/**
 * Limit on the open files of this process, and errors of reaching it. Opens no file and imports no module, since there
 * may be no descriptor left.
 */

/** Below this limit, modules may fail to load: loading opens about as many files at once. */
const FEWEST_TO_LOAD = 256;
/** With fewer files, a server would end inside native code before it listens. */
const FEWEST_TO_SERVE = 64;

let known: number | undefined;

/** Maximum open files of this process. Infinity where the system does not tell. Read once: a report waits for threads. */
export function fileLimit(): number {
  known ??= softLimit();
  return known;
}

function softLimit(): number {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | 'unlimited' } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}

/** Throws EMFILE if this process may open too few files to serve. */
export function checkFileLimit(): void {
  if (fileLimit() < FEWEST_TO_SERVE) throw Object.assign(new Error('too few files may be open'), { code: 'EMFILE' });
}

/** True for an error of the operating system: this process or the machine has no file descriptor left. */
export function isOutOfFiles(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}

/** The same for an error of loading: if Node cannot open a package.json, it reports the package as missing. */
export function isOutOfFilesToLoad(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return isOutOfFiles(error) || (code === 'ERR_MODULE_NOT_FOUND' && fileLimit() < FEWEST_TO_LOAD);
}
