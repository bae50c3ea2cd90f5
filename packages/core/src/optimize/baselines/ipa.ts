/**
 * IPA (JSys 2024, arXiv 2308.12871) as its released code solves it: maximize α·PAS − β·cost − δ·Σ batch. Cores per
 * replica are fixed, latency is the sum of tails, and replicas are the minimum for the rate.
 */
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem, literatureWeights } from './literature-problem.js';

export const ipa: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, literatureWeights(problem)), verify);
