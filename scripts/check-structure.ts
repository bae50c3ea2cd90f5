/**
 * Fails on circular imports between folders, on `export *` in an entry of core, and on exports of core without a use
 * outside core.
 */
import { measureFigures } from './figures/figures.js';
import { findStructureProblems } from './figures/structure-problems.js';

const figures = measureFigures('.');
const problems = findStructureProblems(figures);
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`No arrow runs back up. ${figures.core.names} names exported by core: all by name, all used outside.`);
