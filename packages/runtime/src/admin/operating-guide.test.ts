import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { planWith } from '../loop/pipeline-control.test-support.js';
import { AdminBench } from './admin-server.test-support.js';

const page = readFileSync(fileURLToPath(new URL('../../../../docs/guide/operating.md', import.meta.url)), 'utf8');

const exampleFile = 'examples/shelf-scan/pipeline.yaml';

interface Asked {
  readonly path: string;
  readonly body: string | undefined;
}

/** Every `curl -X POST $ADMIN/…` of the page, with its body. */
const posts = [...page.matchAll(/-X POST \$ADMIN\/(\S+)(?:.* -d '([^']*)')?/g)].map(
  ([, path = '', body]): Asked => ({ path, body }),
);

describe('docs/guide/operating.md', () => {
  it('asks for what the admin port answers', async () => {
    expect(posts.map(({ path }) => path)).toEqual([
      'advise',
      'apply',
      'plan',
      'pin',
      'unpin',
      'roll-back',
      'quarantine/clear',
    ]);
    const bench = await new AdminBench().start();
    try {
      bench.played.advised(planWith('large', 3));
      for (const { path, body } of posts) {
        // Replaces the page's decision, stage and variant by those of this pipeline.
        const text = body?.replace('42', '1').replace('detect', 'a').replace('"s"', '"small"');
        const headers = body === undefined ? undefined : { 'content-type': 'application/json' };
        const sent = {
          method: 'POST',
          path: `/admin/pipelines/p/${path}`,
          ...(text && { text }),
          ...(headers && { headers }),
        };
        // No earlier plan was saved as good.
        expect([path, (await bench.send(sent)).status]).toEqual([path, path === 'roll-back' ? 409 : 200]);
      }
      for (const [, query = ''] of page.matchAll(/"\$ADMIN\/(decisions\?[^"]*)"/g))
        expect((await bench.get(`/admin/pipelines/p/${query}`)).status).toBe(200);
    } finally {
      await bench.close();
    }
  });

  it('speaks of the example that it starts', () => {
    const file = readFileSync(fileURLToPath(new URL(`../../../../${exampleFile}`, import.meta.url)), 'utf8');
    const [, name] = /export ADMIN=\S+\/admin\/pipelines\/(\S+)/.exec(page) ?? [];
    const [, stage, variant] = /"stageId": "(\w+)", "variantId": "(\w+)"/.exec(page) ?? [];
    expect(file).toContain(`metadata: { name: ${name} }`);
    expect(file).toMatch(new RegExp(`- name: ${stage}\\n(?: {6}.*\\n)+? {8}- name: ${variant}\\n`));
    expect(page).not.toMatch(/^equipoise /m);
  });

  it.each(['pause', 'resume', 'advise'])('names the action %s by its path', (action) => {
    expect(page).toContain(`\`POST $ADMIN/${action}\``);
  });
});
