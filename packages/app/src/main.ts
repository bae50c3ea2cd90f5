import { runProgram } from './run-program.js';

/** Loading all modules at once takes about as many. */
const FEW_FILES = 256;

// The color library takes any value for yes.
if (['0', 'false'].includes(process.env['FORCE_COLOR'] ?? '')) process.env['NO_COLOR'] ??= '1';
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that closes early, such as head, is no failure; nor may a server end because its log reader is gone.
    if (error.code !== 'EPIPE') throw error;
  });
}
try {
  await runProgram(process.argv.slice(2));
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  const lacksFiles = code === 'EMFILE' || code === 'ENFILE' || (code === 'ERR_MODULE_NOT_FOUND' && fewFilesMayBeOpen());
  if (!lacksFiles) throw error;
  // Nothing more can be loaded.
  process.stderr.write(
    'error: too many open files. Raise the limit, for example by `ulimit -n 4096`, and run again.\n',
  );
  process.exit(3);
}

/** Without a descriptor for its package.json, Node calls a package missing. */
function fewFilesMayBeOpen(): boolean {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | 'unlimited' } };
  };
  const most = userLimits?.open_files?.soft;
  return typeof most === 'number' && most < FEW_FILES;
}
