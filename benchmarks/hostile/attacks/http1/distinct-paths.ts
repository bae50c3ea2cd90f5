import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'paths, pipelines, queries, methods and request ids that were never seen before, some of 8 KB',
  bound: 'nothing that a client sends becomes a label or is kept',
  async run(client) {
    let count = 0;
    await client.sendInTurns(20, (round) => {
      const name = `${count++}-${'%41'.repeat(round % 2 === 0 ? 3 : 2500)}`;
      const paths = [
        `/${name}`,
        `/v2/models/${name}`,
        `/v2/models/hostile.${name}/ready`,
        `/v1/pipelines/${name}/run?timeout_ms=${name}`,
        `/../..//%2e%2e/%00/${name}`,
        `http://a/${name}`,
      ];
      const request = get(paths[count % paths.length] ?? '', [`x-request-id: ${name}`.slice(0, 500)]);
      return count % 7 === 0 ? request.replace('GET', `M${count}`) : request;
    });
  },
});
