import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '@equipoise/core/model';
import { makeFolder } from '@equipoise/runtime/make-folder';
import pc from 'picocolors';
import { counted } from '../../terminal/counted.js';
import { BY_NPX, commandIn, shellWord } from '../../terminal/own-command.js';
import type { CommandResult } from '../../terminal/run-command.js';
import { modelPipeline, type NewPipeline } from './model-pipeline.js';

const TEMPLATES = fileURLToPath(new URL('../../../templates', import.meta.url));

export interface InitOptions {
  readonly fromOnnx?: readonly string[];
  readonly python?: boolean;
  readonly server?: string;
  readonly model?: readonly string[];
}

/** `equipoise init`: writes a small working pipeline into a new or empty folder. */
export async function init(folder: string, options: InitOptions = {}): Promise<CommandResult> {
  const target = resolve(folder);
  await requireEmpty(target, folder);
  const { name, files, request } = await newPipeline(target, options);
  await writeFiles(target, files);
  const written = Object.keys(files).sort();
  const pipeline = shellWord(join(folder, 'pipeline.yaml'));
  const command = commandIn(process.cwd());
  const data = 'text' in request.body ? `'${request.body.text}'` : shellWord(`@${join(folder, request.body.file)}`);
  const next = [
    `${command} profile ${pipeline} --quick`,
    `${command} plan ${pipeline} --arrival-rps 50`,
    `${command} serve ${pipeline}`,
    `curl -H 'content-type: ${request.contentType}' --data ${data} http://127.0.0.1:8080/v1/pipelines/${name}/run`,
  ];
  const text = [
    `${pc.green('written')} ${counted(written.length, 'file')} into ${target}`,
    'Next (the last command in a second terminal, after `serve` prints "ready"):',
    ...next.map((line) => `  ${line}`),
  ].join('\n');
  return { json: { folder: target, files: written, next }, text };
}

async function newPipeline(target: string, { fromOnnx, python, server, model }: InitOptions): Promise<NewPipeline> {
  if (fromOnnx !== undefined) {
    const { readOnnxModels } = await import('./onnx-models.js');
    return modelPipeline(target, await readOnnxModels(fromOnnx, target));
  }
  if (server !== undefined) {
    const { readServerModels } = await import('./server-models.js');
    return modelPipeline(target, await readServerModels(server, model));
  }
  if (model !== undefined) throw new AppError('WRONG_USAGE', '--model names models of a server; add --server URL.');
  return python === true ? templatePipeline('mood', 'not good') : templatePipeline('language', 'the cat is on the mat');
}

/** Pipeline of a template that has its name. Its input is a text. */
async function templatePipeline(name: string, text: string): Promise<NewPipeline> {
  const folder = join(TEMPLATES, name);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = await Promise.all(
    paths.map(async (path) => [relative(folder, path), await readFile(path, 'utf8')] as const),
  );
  return { name, files: Object.fromEntries(files), request: { contentType: 'text/plain', body: { text } } };
}

async function requireEmpty(target: string, folder: string): Promise<void> {
  const found = await readdir(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw cannotWrite(target, cause);
  });
  if (found.length === 0) return;
  throw new AppError(
    'WRONG_USAGE',
    `${target} is not empty; name a new folder, for example \`equipoise init ${folder}-2\`.`,
  );
}

const cannotWrite = (path: string, cause: Error): AppError =>
  new AppError('STORE_FAILED', `${path} cannot be made: ${cause.message}`, { details: { path }, cause });

async function writeFiles(target: string, files: NewPipeline['files']): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(target, name);
    const text = name === 'pipeline.yaml' ? content.replaceAll(BY_NPX, () => commandIn(target)) : content;
    try {
      makeFolder(dirname(path));
      await writeFile(path, text, { flag: 'wx' });
    } catch (error) {
      throw cannotWrite(path, error as Error);
    }
  }
}
