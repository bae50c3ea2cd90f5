import type { SpecDraft } from '../draft.js';
import type { Finding } from '../problem.js';
import { checkInlineAccuracyTable } from './accuracy-table.js';
import { checkBounds } from './bounds.js';
import { checkBranches } from './branches.js';
import { checkCertainAnswer } from './certain-answer.js';
import { checkEdgeKinds, checkFanOutDepth } from './fan-out-depth.js';
import { checkFanOutItems } from './fan-out-items.js';
import { graphDraft } from './graph-draft.js';
import { checkJoins } from './joins.js';
import { checkJointAccuracy } from './joint-accuracy.js';
import { checkNames } from './names.js';
import { checkOutputs } from './outputs.js';
import { checkProfiles } from './profiles.js';
import { checkReferences } from './references.js';
import { checkReplicas } from './replicas.js';
import { checkServers } from './servers.js';
import { checkSources } from './sources.js';
import { checkTargets } from './targets.js';
import { checkCycles, checkReachability, checkRepeatedEdges, topologyOf } from './topology.js';
import { checkVariants } from './variants.js';

/** Findings of all rules that a schema cannot express, for the well-formed part. */
export function semanticFindings(spec: SpecDraft): Finding[] {
  const graph = graphDraft(spec);
  const topology = topologyOf(graph);
  return [
    ...checkTargets(spec),
    ...checkSources(spec),
    ...checkNames(spec),
    ...checkReferences(spec),
    ...checkCycles(graph, topology),
    ...checkReachability(graph, topology),
    ...checkRepeatedEdges(graph),
    ...checkEdgeKinds(spec),
    ...checkJoins(spec, graph),
    ...checkBranches(spec),
    ...checkOutputs(spec),
    ...checkCertainAnswer(graph, topology),
    ...checkJointAccuracy(spec),
    ...checkFanOutDepth(graph, topology),
    ...checkFanOutItems(spec),
    ...checkVariants(spec),
    ...checkReplicas(spec),
    ...checkServers(spec),
    ...checkProfiles(spec),
    ...checkBounds(spec),
    ...checkInlineAccuracyTable(spec),
  ];
}
