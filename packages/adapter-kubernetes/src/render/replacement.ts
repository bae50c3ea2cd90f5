/**
 * A pod of a stage that is deleted or evicted may be the only one. Its server then serves on until another pod of its
 * Service is ready. The server looks itself: a `preStop` command would take cores from requests that run. Images of
 * other servers, and older ones of ours, know no such wait.
 */
import type { StageWorkload } from './stage-workload.js';

/** Longest wait (s) of a server for the pod that replaces its own. */
const REPLACEMENT_S = 30;

/** Environment variables of the wait: the URL of the pods, and the longest wait (s). Older images ignore them. */
export const PEERS_URL = 'EQUIPOISE_PEERS_URL';
export const PEERS_WAIT_S = 'EQUIPOISE_PEERS_WAIT_S';

/** The workload, if it runs our server, with pods that wait for their replacement. Its Service must be headless. */
export function withReplacement(workload: StageWorkload): StageWorkload {
  const { container, name, port, pipelineFile, drainMs } = workload;
  if (pipelineFile === undefined) return workload;
  const env = [
    ...(container.env ?? []),
    { name: PEERS_URL, value: `http://${name}:${port}` },
    { name: PEERS_WAIT_S, value: String(REPLACEMENT_S) },
  ];
  return { ...workload, container: { ...container, env }, drainMs: drainMs + 1000 * REPLACEMENT_S, asksPeers: true };
}
