/** FA2 with the least accurate variant of every stage: the cheap end of IPA's comparison. */
import type { Policy } from '../planning-problem.js';
import { planFa2 } from './frozen-fa2.js';

/** Policy `fa2-low`. */
export const fa2Low: Policy = (problem, verify) => planFa2(problem, 'least-accurate', verify);
