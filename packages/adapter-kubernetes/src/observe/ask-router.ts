/** Reads the Prometheus page of a router over persistent connections. */
import { Agent, get } from 'node:http';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { pageMetrics } from './router-page.js';

const PORT = 8080;
/** Selects the needed twentieth of the page. Some routers ignore the query. */
const QUERY = pageMetrics.map((name) => `name[]=${name}`).join('&');
/** Several times the page size of a pipeline with 32 stages. */
const LARGEST_PAGE_CHARACTERS = 4 * 1024 ** 2;

const agent = new Agent({ keepAlive: true });

/** URL of a router; undefined before its pod has an address. */
export function routerUrl({ status }: ObservedPod): string | undefined {
  const ip = status?.podIP;
  return ip === undefined ? undefined : `http://${ip.includes(':') ? `[${ip}]` : ip}:${PORT}/metrics`;
}

/** Rejects without an answer of status 200. */
export function askRouter(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}?${QUERY}`, { agent, signal }, (answer) => {
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
