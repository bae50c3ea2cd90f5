/** One question to a router: the page that it shows to Prometheus, on the port that it serves. Connections are kept: it is asked every second. */
import { Agent, get } from 'node:http';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { pageMetrics } from './router-page.js';

/** The serving port of a router. */
const PORT = 8080;
/** All that is read, which is a twentieth of the page. A router that knows no such question shows all of it. */
const QUERY = pageMetrics.map((name) => `name[]=${name}`).join('&');
/** Of a page of a pipeline with 32 stages, several times over. */
const LARGEST_PAGE_CHARACTERS = 4 * 1024 ** 2;

const agent = new Agent({ keepAlive: true });

/** Where a router is asked; undefined before its pod has an address. */
export function routerUrl({ status }: ObservedPod): string | undefined {
  const ip = status?.podIP;
  return ip === undefined ? undefined : `http://${ip.includes(':') ? `[${ip}]` : ip}:${PORT}/metrics`;
}

/** The text of the page, as far as it is read; rejects where there is no answer, or another than a page. */
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
