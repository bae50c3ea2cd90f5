import { runProgram } from './run-program.js';

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
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  // Nothing more can be loaded.
  process.stderr.write(
    'error: too many open files. Raise the limit, for example by `ulimit -n 4096`, and run again.\n',
  );
  process.exit(3);
}
