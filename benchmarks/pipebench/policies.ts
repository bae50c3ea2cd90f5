/** Policies of PipeBench: their sources, what they leave out, and the ground of their publications. */
import type { PolicyName } from '@equipoise/core/plan';
import {
  type ObservingPolicyName,
  observingPolicies,
} from '../../packages/core/src/control/baselines/observing-policies.js';

export type BenchPolicyName = PolicyName | ObservingPolicyName;

export interface BenchPolicy {
  readonly name: BenchPolicyName;
  readonly source: string;
  readonly leavesOut: string;
  /** Cells (`pipeline goal load`; `*` is any) that match the evaluation of its publication; none without one. */
  readonly ground: readonly (readonly [pipeline: string, goal: string, load: string])[];
  readonly groundText: string;
  /** True if it needs a cluster of fixed size. */
  readonly needsCluster?: true;
}

export const OURS: BenchPolicyName = 'equipoise';

const SHIPPED = ['bursty', 'fluctuating', 'steady-low', 'steady-high'];
const ofIpa = SHIPPED.map((load) => ['*', 'weights', load] as const);
const ipaText =
  'video, audio-qa and sum-qa with their published weights, under the shipped loads (statistics of its four)';

export const benchPolicies: readonly BenchPolicy[] = [
  {
    name: 'equipoise',
    source: 'this repository, as shipped: verified plans, guardrails, bursts answered every second',
    leavesOut: 'canaries (off for all), learned forecasts (they need an hour of load)',
    ground: [],
    groundText: '–',
  },
  {
    name: 'ipa',
    source: 'IPA (Ghafouri et al., JSys 2024), as its released code solves it',
    leavesOut: 'the LSTM forecast: the larger of the last two 10-s maxima × 1.19 replaces it',
    ground: ofIpa,
    groundText: ipaText,
  },
  {
    name: 'fa2-low',
    source: 'FA2 (Razavi et al., RTAS 2022), as in the comparison of IPA: the least accurate variants',
    leavesOut: 'its batching and transformation of graphs; solver and forecast are those of ipa',
    ground: ofIpa,
    groundText: `the comparison of IPA: ${ipaText}`,
  },
  {
    name: 'fa2-high',
    source: 'FA2, as in the comparison of IPA: the published or the most accurate variants',
    leavesOut: 'as fa2-low',
    ground: ofIpa,
    groundText: 'as fa2-low',
  },
  {
    name: 'rim',
    source: 'RIM (Hu et al., 2021), as in the comparison of IPA: fixed replicas, variants follow the load',
    leavesOut: 'placement on devices; without published replicas it gets those for the peak by hand configuration',
    ground: ofIpa,
    groundText: 'as fa2-low',
  },
  {
    name: 'inferline-like',
    source: 'InferLine (Crankshaw et al., SoCC 2020): planner by simulation of a sample, tuner by traffic envelopes',
    leavesOut: 'accelerators (core counts instead), planning again; variants are set by hand; windows begin at 1 s',
    ground: [
      ['video', 'min-cost', '*'],
      ['detect-and-classify', 'min-cost', 'big-spike'],
      ['detect-and-classify', 'min-cost', 'dual-phase'],
    ],
    groundText:
      'lowest cost of a video pipeline under its kinds of load: big-spike, dual-phase, gamma gaps of CV 4 (its pipelines are not published as profiles)',
  },
  {
    name: 'proteus-like',
    source: 'Proteus (Ahmad et al., ASPLOS 2024): accuracy scaling by an integer program on a fixed cluster',
    leavesOut:
      'several variants of a stage at a time, heterogeneous devices, several applications, its adaptive batching; stages share the SLO equally',
    ground: [
      ['detect-and-classify', 'max-accuracy', '*'],
      ['shelf-day', 'max-accuracy', '*'],
    ],
    groundText:
      'highest accuracy within a fixed number of cores under loads with the statistics of a Twitter trace (its profiles are not in the repository)',
    needsCluster: true,
  },
  {
    name: 'utilization-autoscaler',
    source: 'Horizontal Pod Autoscaler of Kubernetes (autoscaling/v2), 70 % utilization',
    leavesOut: 'delays and gaps of the metrics; variant, cores and batch size are set by hand',
    ground: [],
    groundText: 'no publication',
  },
  {
    name: 'queue-autoscaler',
    source: 'KEDA 2 with a queue trigger: one replica per full batch that waits or runs',
    leavesOut: 'scaling to zero, polling between two steps; variant, cores and batch size are set by hand',
    ground: [],
    groundText: 'no publication',
  },
  {
    name: 'static-peak',
    source: 'a fixed plan for the busiest second of the first quarter of the load',
    leavesOut: 'nothing; variant, cores and batch size are set by hand',
    ground: [],
    groundText: 'no publication',
  },
  {
    name: 'static-cheapest',
    source: 'the cheapest variants; our planner follows the load with replicas and batches',
    leavesOut: 'nothing',
    ground: [],
    groundText: 'no publication',
  },
  {
    name: 'static-best',
    source: 'the most accurate variants; our planner follows the load with replicas and batches',
    leavesOut: 'nothing',
    ground: [],
    groundText: 'no publication',
  },
];

export const isObserving = (name: string): name is ObservingPolicyName => name in observingPolicies;

export interface CellPlace {
  readonly pipeline: string;
  readonly goal: string;
  readonly load: string;
}

/** True if a cell is on the published ground of a policy. */
export function isOnGround({ ground }: Pick<BenchPolicy, 'ground'>, { pipeline, goal, load }: CellPlace): boolean {
  const matches = (pattern: string, text: string): boolean => pattern === '*' || pattern === text;
  return ground.some(
    ([ofPipeline, ofGoal, ofLoad]) => matches(ofPipeline, pipeline) && matches(ofGoal, goal) && matches(ofLoad, load),
  );
}
