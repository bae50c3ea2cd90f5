/**
 * Files by which the routers of one machine tell their states. Each router writes its own file, and the lead one more.
 * Unreadable files count as absent: their writer replaces them within a moment.
 */
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, mostRouters, type Plan, type StagePlan } from '@equipoise/core/model';
import type { CoreGrants } from '@equipoise/core/serve';
import { z } from 'zod';

const MOST_BYTES = 1024 * 1024;
const MOST_FILES = 4 * mostRouters;

const version = z.int().min(0);
const cores = z.number().min(0);

const routerState = z.object({
  id: z.string().min(1).max(100),
  process: z.object({ pid: z.int().positive(), startTicks: z.number().optional(), namespace: z.string().optional() }),
  startedAtEpochMs: z.number(),
  /** Time of writing. */
  atEpochMs: z.number(),
  /** Digest of the router's pipeline file. */
  specDigest: z.string(),
  version,
  planVersion: version,
  limitCores: cores,
  heldCores: cores,
  usesSurge: z.boolean(),
  wantsSurge: z.boolean(),
  /** Requests since the start. */
  arrived: z.number().min(0),
  /** True in the last state of a router that has ended its replicas. */
  hasLeft: z.boolean().optional(),
});

/** State of a router. `version` and `planVersion`: newest instruction and plan of the lead that it obeys. */
export type RouterState = z.infer<typeof routerState>;

const grant = z.object({
  count: version,
  shareCores: cores,
  surge: z.boolean(),
  version,
  reservedCores: cores,
  reservedSurge: z.boolean(),
});

const leadState = z.object({
  leadId: z.string(),
  version,
  specDigest: z.string(),
  grants: z.record(z.string(), grant).transform((grants): CoreGrants => grants),
  planVersion: version,
  /** Plan of each router; absent before the first one. */
  plan: z.custom<Plan>((value) => isPlan(value)).optional(),
});

export type LeadState = z.infer<typeof leadState>;

function isPlan(value: unknown): boolean {
  const stages = (value as Partial<Plan> | null)?.stages;
  if (typeof stages !== 'object' || stages === null) return false;
  const isStage = (part: Partial<StagePlan>) =>
    typeof part?.variantId === 'string' &&
    typeof part.replicas === 'number' &&
    typeof part.maxBatchSize === 'number' &&
    typeof part.resources?.cpuCores === 'number';
  return Object.values(stages).every((parts) => Array.isArray(parts) && parts.length > 0 && parts.every(isStage));
}

const LEAD_FILE = 'lead.json';
const ROUTER_FILE = /^router-.+\.json$/;

export class RouterFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Creates the folder, if it is missing. Rejects with STORE_FAILED if that fails. */
  async create(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
    } catch (cause) {
      const message = `The folder ${this.#folder}, over which routers exchange their states, cannot be created (${(cause as Error).message}): check the disk and the permissions of its parent.`;
      throw new AppError('STORE_FAILED', message, { details: { path: this.#folder }, cause });
    }
  }

  async tell(state: RouterState): Promise<void> {
    await this.#replace(nameOf(state.id), state);
  }

  async tellAsLead(state: LeadState): Promise<void> {
    await this.#replace(LEAD_FILE, state);
  }

  async lead(): Promise<LeadState | undefined> {
    return leadState.safeParse(await this.#read(LEAD_FILE)).data;
  }

  /** States of all routers, also of ended ones. */
  async routers(): Promise<readonly RouterState[]> {
    const names = (await readdir(this.#folder)).filter((name) => ROUTER_FILE.test(name)).slice(0, MOST_FILES);
    const read = await Promise.all(names.map(async (name) => routerState.safeParse(await this.#read(name)).data));
    return read.filter((state) => state !== undefined);
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.#folder, nameOf(id)), { force: true });
  }

  async #replace(name: string, content: object): Promise<void> {
    const path = join(this.#folder, name);
    const part = `${path}.${process.pid}.part`;
    await writeFile(part, JSON.stringify(content));
    await rename(part, path);
  }

  /** Undefined for a file that is absent, too large or no JSON. */
  async #read(name: string): Promise<unknown> {
    try {
      const file = await open(join(this.#folder, name), 'r');
      try {
        if ((await file.stat()).size > MOST_BYTES) return undefined;
        return JSON.parse(await file.readFile('utf8'));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

const nameOf = (id: string): string => `router-${id}.json`;
