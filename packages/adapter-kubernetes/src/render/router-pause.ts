/**
 * The pause of the router's pod before SIGTERM. There is only one router, so its Service may have no other endpoint when
 * the pod is deleted or evicted. Until the replacement is ready, Services send to terminating pods that are ready. So
 * the pod serves until its Service leads to another pod, and `LEAVE_S` longer, because other nodes may learn of it later.
 * In a rollout the replacement is ready before, so the pause is short.
 */
import type { PreStop } from './manifest-types.js';
import { LEAVE_S } from './pod-template.js';

/** Longest wait (s) for the replacement. */
const REPLACEMENT_S = 30;

/**
 * Program of Node with the arguments OWN_URL SERVICE_URL LEAVE_S LONGEST_S. It is no option of the command, because the
 * image may be older than the renderer. A server of an older image has no instance header, so the pause is the longest.
 */
const PAUSE_SCRIPT = `import { get } from 'node:http';
const [own, service, leaveS, longestS] = process.argv.slice(1);
setTimeout(() => process.exit(), 1000 * longestS);
const ask = (url) => new Promise((resolve) => {
  const request = get(url, { agent: false, timeout: 1000 }, ({ statusCode, headers }) => {
    resolve({ isReady: statusCode === 200, instance: headers['x-equipoise-instance'] });
    request.destroy();
  });
  request.on('timeout', () => request.destroy()).on('error', () => {}).on('close', () => resolve({ isReady: false }));
});
const { instance } = await ask(own);
let sinceMs;
while (sinceMs === undefined || performance.now() - sinceMs < 1000 * leaveS) {
  const answer = await ask(service);
  if (answer.isReady) sinceMs = answer.instance === instance ? undefined : (sinceMs ?? performance.now());
  await new Promise((resolve) => setTimeout(resolve, 250));
}
process.exit();
`;

/** Pause of a pod until the Service at `serviceUrl` leads to another pod. */
export function untilReplaced(serviceUrl: string, port: number): PreStop {
  const urls = [`http://0.0.0.0:${port}`, serviceUrl].map((url) => `${url}/readyz`);
  const command = ['node', '--input-type=module', '--eval', PAUSE_SCRIPT, '--', ...urls];
  return { exec: { command: [...command, String(LEAVE_S), String(REPLACEMENT_S)] } };
}
