/** Entry of `equipoise`. */
import { runProgram } from './run-program.js';

// Colors are decided by a library that takes any value for a yes.
if (['0', 'false'].includes(process.env['FORCE_COLOR'] ?? '')) process.env['NO_COLOR'] ??= '1';
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough, such as head, is no failure; nor may a server end because nobody reads its log any more.
    if (error.code !== 'EPIPE') throw error;
  });
}
await runProgram(process.argv.slice(2));
