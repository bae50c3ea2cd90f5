import { isOutOfFiles } from './terminal/out-of-files.js';

/** Below this limit on open files, modules may fail to load: loading opens about as many files at once. */
const FEW_FILES = 256;

// The color library takes even `0` as yes.
if (['0', 'false'].includes(process.env['FORCE_COLOR'] ?? '')) process.env['NO_COLOR'] ??= '1';
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that closes early, such as head, is no failure. A server must not end because its log reader is gone.
    if (error.code !== 'EPIPE') throw error;
  });
}
try {
  // Loaded here, because loading may lack files, too.
  const { runProgram } = await import('./run-program.js');
  await runProgram(process.argv.slice(2));
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  const lacksFiles = isOutOfFiles(error) || (code === 'ERR_MODULE_NOT_FOUND' && fewFilesMayBeOpen());
  if (!lacksFiles) throw error;
  // Nothing more can be loaded now, so the text is written here.
  process.stderr.write(
    'error: too many open files. Raise the limit, for example by `ulimit -n 4096`, and run again.\n',
  );
  process.exit(3);
}

/** If Node cannot open a package.json for lack of descriptors, it reports the package as missing. */
function fewFilesMayBeOpen(): boolean {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | 'unlimited' } };
  };
  const most = userLimits?.open_files?.soft;
  return typeof most === 'number' && most < FEW_FILES;
}
