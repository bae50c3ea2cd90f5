/** The page of the operator in a real browser, over a cluster in memory with two pipelines. */
import { join } from 'node:path';
import { PageCluster } from '@equipoise/adapter-kubernetes/test-cluster';
import { EventFeed, PlannerPool, type RunningAdminServer } from '@equipoise/runtime';
import { chromium, describeWithTool } from '@equipoise/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ThreadPlanner } from '../compose/operator-deps.js';
import { TestFolder } from '../equipoise.test-support.js';
import { startClusterAdmin } from '../operator-page/cluster-admin.js';
import { ClusterBoard } from '../operator-page/cluster-board.js';
import { openBrowser, openPage, seriousFindings } from './browser.test-support.js';

const PATIENCE_MS = 120_000;

const figureOf = (page: Page, tile: string) => page.locator('.tile', { hasText: tile }).locator('.value');

describeWithTool(chromium, 'the page of the operator', () => {
  const folder = new TestFolder();
  const feed = new EventFeed(Date.now);
  const board = new ClusterBoard({ feed, nowEpochMs: Date.now });
  let browser: Browser;
  let cluster: PageCluster;
  let admin: RunningAdminServer;
  let unfollow: () => void;

  beforeAll(async () => {
    browser = await openBrowser();
    const threads = new PlannerPool();
    cluster = new PageCluster({
      plannerFor: (spec) => new ThreadPlanner(spec, threads),
      report: (key, decision, observation) => board.decided(key, decision, observation),
    });
    unfollow = board.follow(cluster.plans);
    const adminTokenFile = join(folder.path, folder.write('token', 'sesame'));
    admin = (await startClusterAdmin({ adminPort: 0, adminTokenFile }, { board, feed })) as RunningAdminServer;
  });

  afterAll(async () => {
    unfollow();
    await browser.close();
    await admin.close();
    await cluster.close();
    await folder.remove();
  });

  it('shows pipelines of a cluster, their plans and decisions, and says what a cluster does elsewhere', async () => {
    await cluster.create('shelf');
    await cluster.create('other');
    const { page, errors, foreign } = await openPage(browser, `${admin.url}/`);
    page.setDefaultTimeout(PATIENCE_MS);
    await page.getByLabel('Token').fill('sesame');
    await page.keyboard.press('Enter');
    await page.getByLabel('Pipeline').selectOption('n/shelf');
    await page.waitForURL(/#\/n%2Fshelf\/overview$/);
    await page.getByText('Live', { exact: true }).first().waitFor();
    // The answers before the token are refused, and the browser says so.
    errors.length = 0;

    await page.locator('button.stage', { hasText: 'detect' }).filter({ hasText: 'ready' }).waitFor();
    expect(await page.locator('button.stage').count()).toBe(2);
    const rate = figureOf(page, 'Arrivals');
    await expect.poll(async () => Number(await rate.textContent()), { timeout: PATIENCE_MS }).toBeGreaterThan(0);
    await page.locator('.chart').first().waitFor();
    await page.locator('.signals', { hasText: 'router shelf' }).filter({ hasText: 'decision' }).waitFor();
    await page.getByText('Read-only: a cluster is changed by its objects').click();
    await page.getByText('kubectl edit inferencepipeline NAME').waitFor();
    for (const name of ['Advise', 'Paused', 'Roll back'])
      expect(await page.getByRole('button', { name }).isDisabled()).toBe(true);
    await page.locator('button.stage', { hasText: 'detect' }).click();
    await page.getByRole('dialog').getByText('Desired').waitFor();
    expect(await page.getByRole('dialog').getByRole('button', { name: 'Pin' }).count()).toBe(0);
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();

    await page.getByRole('link', { name: 'Decisions', exact: true }).click();
    await page.locator('.timeline .row', { hasText: 'start' }).first().click();
    await page.getByRole('heading', { name: 'Predicted and observed' }).waitFor();
    await page.getByRole('link', { name: 'What if', exact: true }).click();
    await page.locator('.what-if table.plan').waitFor();
    expect(await page.getByRole('button', { name: 'Apply this plan' }).count()).toBe(0);
    await page.getByRole('slider', { name: /^Budget/ }).press('Home');
    await page.locator('.what-if .error', { hasText: /No plan/ }).waitFor();
    await page.getByRole('link', { name: 'Frontier', exact: true }).click();
    await page.locator('.scatter .point').first().waitFor();
    await page.getByRole('link', { name: 'Requests', exact: true }).click();
    await page.getByRole('heading', { name: 'The routers keep the requests' }).waitFor();
    await page.getByRole('link', { name: 'Why', exact: true }).click();
    await page.getByRole('heading', { name: 'No diagnosis on a cluster' }).waitFor();
    await page.getByRole('link', { name: 'Profiles', exact: true }).click();
    await page.getByRole('heading', { name: /^Throughput of a replica/ }).waitFor();

    await page.getByRole('link', { name: 'Overview', exact: true }).click();
    for (const width of [390, 1440])
      for (const colorScheme of ['dark', 'light'] as const) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme });
        expect({ width, colorScheme, found: await seriousFindings(page) }).toEqual({ width, colorScheme, found: [] });
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      }
    expect({ errors, foreign, failures: cluster.failures }).toEqual({ errors: [], foreign: [], failures: [] });

    await page.getByLabel('Pipeline').selectOption('n/other');
    await page.locator('button.stage', { hasText: 'classify' }).waitFor();
    await cluster.remove('other');
    await page
      .getByText(/The pipeline is gone|No pipeline named n\/other/)
      .first()
      .waitFor();
  }, 600_000);
});
