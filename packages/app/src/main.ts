import { isOutOfFilesToLoad } from './terminal/file-limit.js';

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
  if (!isOutOfFilesToLoad(error)) throw error;
  // Nothing more can be loaded now, so the text is written here.
  process.stderr.write(
    'error: too many open files. Raise the limit, for example by `ulimit -n 4096`, and run again.\n',
  );
  process.exit(3);
}
