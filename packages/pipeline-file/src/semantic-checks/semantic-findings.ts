import type { SpecDraft } from '../draft.js';
import type { Finding } from '../problem.js';
import { checkInlineAccuracyTable } from './accuracy-table.js';
import { checkBounds } from './bounds.js';
import { checkBranches, checkCertainAnswer } from './branches.js';
import { checkCombines, checkOptional } from './combines.js';
import { checkEdgeInputs } from './edge-inputs.js';
import { checkEvaluation } from './evaluation.js';
import { checkEdgeKinds, checkFanOutDepth, checkFanOutItems } from './fan-outs.js';
import { graphDraft } from './graph-draft.js';
import { checkJoins, checkJointAccuracy } from './joins.js';
import { checkPlacements } from './placements.js';
import { checkProfiles } from './profiles.js';
import { checkQuorums } from './quorums.js';
import { checkNames, checkReferences } from './references.js';
import { checkServers } from './servers.js';
import { checkShadows } from './shadows.js';
import { checkSourceJoin } from './source-join.js';
import { checkOutputs, checkSources } from './sources-and-outputs.js';
import { checkTargets } from './targets.js';
import { checkThresholds } from './thresholds.js';
import { checkCycles, checkReachability, checkRepeatedEdges, topologyOf } from './topology.js';
import { checkReplicas, checkVariants } from './variants.js';

/** Findings of rules that a schema cannot express, about the well-formed part. */
export function semanticFindings(spec: SpecDraft): Finding[] {
  const graph = graphDraft(spec);
  const topology = topologyOf(graph);
  return [
    ...checkTargets(spec),
    ...checkSources(spec),
    ...checkSourceJoin(spec),
    ...checkNames(spec),
    ...checkReferences(spec),
    ...checkCycles(graph, topology),
    ...checkReachability(graph, topology),
    ...checkRepeatedEdges(graph),
    ...checkEdgeKinds(spec),
    ...checkJoins(spec, graph),
    ...checkBranches(spec),
    ...checkThresholds(spec),
    ...checkQuorums(spec),
    ...checkOutputs(spec),
    ...checkCertainAnswer(graph, topology),
    ...checkJointAccuracy(spec),
    ...checkFanOutDepth(graph, topology),
    ...checkFanOutItems(spec),
    ...checkEdgeInputs(spec, graph, topology),
    ...checkCombines(spec, graph),
    ...checkOptional(spec, graph),
    ...checkVariants(spec),
    ...checkReplicas(spec),
    ...checkServers(spec),
    ...checkPlacements(spec),
    ...checkProfiles(spec),
    ...checkBounds(spec),
    ...checkEvaluation(spec),
    ...checkShadows(spec),
    ...checkInlineAccuracyTable(spec),
  ];
}
