import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { listen } from './listen.js';
import { portHolder } from './port-holder.js';

it.runIf(process.platform === 'linux')('names the process that holds a port, in the error, too', async () => {
  const holder = createServer();
  const place = await listen(holder, { host: '127.0.0.1', port: 0 });
  expect(portHolder(place.port)).toMatch(new RegExp(`^Process ${process.pid} \\(.+\\)$`));
  const message = expect.stringMatching(
    new RegExp(`^Process ${process.pid} \\(.+\\) already listens on 127\\.0\\.0\\.1:${place.port}\\.$`),
  );
  await expect(listen(createServer(), place)).rejects.toMatchObject({ code: 'PORT_IN_USE', message });
  holder.close();
  expect(portHolder(0)).toBeUndefined();
});
