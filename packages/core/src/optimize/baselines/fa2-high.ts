/** FA2 with the most accurate variant of every stage: the accurate end of IPA's comparison. */
import type { Policy } from '../planning-problem.js';
import { planFa2 } from './frozen-fa2.js';

/** Policy `fa2-high`. */
export const fa2High: Policy = (problem, verify) => planFa2(problem, 'most-accurate', verify);
