/** Plain Kubernetes: a Deployment for each stage. */
import { stagePolicy } from '../network-policies.js';
import { serviceAccountName } from '../router.js';
import { configOf, deploymentOf, disruptionBudgetOf } from '../workload-objects.js';
import { addressOfPods, type StageEngine, serviceOfPods } from './stage-engine.js';

export const deploymentObjects: StageEngine = (workload, { spec }) => {
  const { container, drainMs, pipelineFile, placement, plan } = workload;
  const configured = pipelineFile === undefined ? undefined : configOf(workload, pipelineFile);
  const pods = {
    serviceAccount: serviceAccountName(spec.name),
    container,
    drainMs,
    config: configured?.config,
    placement,
  };
  return {
    objects: [
      ...(configured ? [configured.object] : []),
      serviceOfPods(workload),
      deploymentOf(workload, pods, plan.replicas),
      disruptionBudgetOf(workload),
      stagePolicy(spec.name, workload),
    ],
    address: addressOfPods(workload),
    reachesPods: true,
  };
};
