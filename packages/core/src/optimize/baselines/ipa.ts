/**
 * IPA (JSys 2024, arXiv 2308.12871) as its released code solves it, with PAS as accuracy: maximize α·PAS − β·cost − δ·Σ
 * batch. Variants have fixed cores and latency is the sum of tails. Replicas are the fewest that carry the rate. Without
 * `weights` in the problem, (α, β, δ) = (2, 1, 1e-6), its video pipeline. The budget applies to all policies alike.
 */
import { optimize } from '../optimize.js';
import type { Policy } from '../planning-problem.js';
import { literatureProblem, literatureWeights } from './literature-problem.js';

export const ipa: Policy = (problem, verify) =>
  optimize(literatureProblem(problem, literatureWeights(problem)), verify);
