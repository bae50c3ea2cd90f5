/** Runs after `npm ci` (`prepare`): nothing loads libraries of other systems, and they are a third of the installation. */
import { fileURLToPath } from 'node:url';
import { dropForeignBinaries } from './foreign-binaries.js';

dropForeignBinaries(fileURLToPath(new URL('../node_modules', import.meta.url)), process);
