/**
 * IPA (JSys 2024, arXiv 2308.12871) as its released code solves it, with PAS for its accuracy: maximize α·PAS − β·cost − δ·Σ batch over
 * variants, batches and replicas, each variant on cores fixed beforehand, latency as the sum of tails, replicas as the least that carry
 * the rate. α, β, δ are 2, 1, 1e-6 (its video pipeline) unless the problem asks for `weights`. The budget holds for all policies alike.
 */
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem, literatureWeights } from './literature-problem.js';

/** Policy `ipa`. */
export const ipa: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, literatureWeights(problem)), verify);
