/** Node entry of `bin/equipoise`. */
import module from 'node:module';
import { join } from 'node:path';
import { makeFolder } from '@equipoise/runtime/make-folder';
import { cacheFolder } from '../dist/cache-folder.js';
import { endAtSigterm } from '../dist/terminal/first-process.js';
import { keepYoungGenerationToThisThread } from '../dist/young-generation.js';

endAtSigterm();
keepYoungGenerationToThisThread();
keepCompiledCode();
await import('../dist/main.js');

/** The next command then starts faster. Node can do this since version 22. A folder that cannot be made is no failure. */
function keepCompiledCode() {
  if (module.enableCompileCache === undefined) return;
  try {
    const folder = join(cacheFolder(process.env), 'compiled');
    makeFolder(folder);
    module.enableCompileCache(folder);
  } catch {
    // Nothing is kept.
  }
}
