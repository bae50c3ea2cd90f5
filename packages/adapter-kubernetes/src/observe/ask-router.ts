/**
 * Reads the Prometheus page of a router over persistent connections: at the address of its pod, or through the API server,
 * for an operator outside of the pod network.
 */
import http, { Agent } from 'node:http';
import https from 'node:https';
import type { ArrivalEnvelope } from '@equipoise/core/model';
import type { KubeConnection } from '../api/http/kube-connection.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { pageMetrics } from './router-page.js';

const PORT = '8080';
/** Selects the needed twentieth of the page. Some routers ignore the query. */
const QUERY = pageMetrics.map((name) => `name[]=${name}`).join('&');
/** Several times the page size of a pipeline with 32 stages. */
const LARGEST_PAGE_CHARACTERS = 4 * 1024 ** 2;

const agent = new Agent({ keepAlive: true });

/** Port and path of the page that Istio's sidecar merges. It takes plain HTTP, also where the mesh demands mTLS. */
const MERGED_PORT = '15020';
const MERGED_PATH = '/stats/prometheus';

/** Port and path of a router's page. Istio annotates pods with the merged page. */
function pageOf({ metadata }: ObservedPod): readonly [port: string, path: string] {
  const isMerged = metadata.annotations?.['prometheus.io/port'] === MERGED_PORT;
  return isMerged ? [MERGED_PORT, MERGED_PATH] : [PORT, '/metrics'];
}

/** URL of a router's metrics; undefined before its pod has an address. */
export function routerUrl(pod: ObservedPod): string | undefined {
  const ip = pod.status?.podIP;
  if (ip === undefined) return undefined;
  const [port, path] = pageOf(pod);
  return `http://${ip.includes(':') ? `[${ip}]` : ip}:${port}${path}`;
}

/**
 * The router answers after `waitMs`, or as soon as more arrives in a window than `most` allows. `seconds`: number of the
 * last whole seconds whose arrivals the page shows. Older routers and merged pages ignore all three.
 */
export interface RouterQuestion {
  readonly waitMs: number;
  readonly most: ArrivalEnvelope;
  readonly seconds: number;
}

const atOnce: RouterQuestion = { waitMs: 0, most: [], seconds: 0 };

function queryOf({ waitMs, most, seconds }: RouterQuestion): string {
  const bounds = waitMs === 0 ? [] : most.map(({ windowS, arrivals }) => `most=${windowS}:${Math.floor(arrivals)}`);
  return [QUERY, `seconds=${seconds}`, ...(waitMs === 0 ? [] : [`wait_ms=${waitMs}`]), ...bounds].join('&');
}

/** Place of a router's page, and a request to it. The request rejects without an answer of status 200. */
export interface RouterAccess {
  readonly urlOf: (pod: ObservedPod) => string | undefined;
  readonly ask: (url: string, signal: AbortSignal, question: RouterQuestion) => Promise<string>;
}

/** Asks the pods themselves. */
export const directAccess: RouterAccess = { urlOf: routerUrl, ask: askRouter };

/** Asks through the API server, which needs the right to get `pods/proxy`. */
export function accessThrough(connection: Pick<KubeConnection, 'serverUrl' | 'requestOptions'>): RouterAccess {
  const server = connection.serverUrl.href.replace(/\/$/, '');
  return {
    urlOf: (pod) => {
      if (pod.status?.podIP === undefined) return undefined;
      const [port, path] = pageOf(pod);
      const { namespace = 'default', name } = pod.metadata;
      return `${server}/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy${path}`;
    },
    ask: async (url, signal, question) => askAt(url, await connection.requestOptions(), { signal, question }),
  };
}

/** Rejects without an answer of status 200. */
export function askRouter(url: string, signal: AbortSignal, question = atOnce): Promise<string> {
  return askAt(url, { agent }, { signal, question });
}

function askAt(
  url: string,
  options: http.RequestOptions,
  { signal, question }: { readonly signal: AbortSignal; readonly question: RouterQuestion },
): Promise<string> {
  const { get } = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const request = get(`${url}?${queryOf(question)}`, { ...options, signal }, (answer: http.IncomingMessage) => {
      const { statusCode = 0 } = answer;
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > LARGEST_PAGE_CHARACTERS) request.destroy(new Error(`${url} does not come to an end`));
      });
      answer.on('error', reject);
      answer.on('end', () => {
        if (statusCode === 200) resolve(text);
        else reject(new Error(`${url} answers ${statusCode}`));
      });
    });
    request.on('error', reject);
  });
}
