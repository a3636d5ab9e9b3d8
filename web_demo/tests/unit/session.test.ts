import assert from "node:assert/strict";
import test from "node:test";
import { type Click, GivenMask, Session, SessionError, type SessionSettings, type Size, type Step } from "../../session/index.js";
import { SETTINGS, madeStep } from "./made-graphs.js";

const SIZE: Size = [9, 11];
const PIXELS = Uint8Array.from({ length: 3 * 99 }, (_, i) => (i * 37) % 256);
const ALL = SIZE.map((n) => Float32Array.from({ length: n }, (_, i) => i)) as [Float32Array, Float32Array];
const CLICKS: Click[] = [
  { row: 1, column: 2, positive: true },
  { row: 8.5, column: 10.25, positive: false },
  { row: 0, column: 0, positive: true },
];

function fresh(settings: Partial<SessionSettings> = {}, screen?: readonly [number, number]) {
  const { step, names } = madeStep(screen);
  return { session: new Session(step, PIXELS, SIZE, { ...SETTINGS, screen, ...settings }), names };
}

async function clicked(clicks: readonly Click[], settings: Partial<SessionSettings> = {}): Promise<Session> {
  const { session } = fresh(settings);
  for (const { row, column, positive } of clicks) await session.click(row, column, positive);
  return session;
}

for (const flip of [false, true]) {
  test(`a removed click is as if it had never been made, flip ${flip}`, async () => {
    for (const index of CLICKS.keys()) {
      const session = await clicked(CLICKS, { flip });
      await session.remove(index);
      const expected = await clicked(CLICKS.filter((_, i) => i !== index), { flip });
      assert.deepEqual(session.state, expected.state);
      session.undo();
      assert.deepEqual(session.state, (await clicked(CLICKS, { flip })).state);
      session.redo();
      assert.deepEqual(session.state, expected.state);
    }
  });

  test(`a moved click is as if it had been made there, flip ${flip}`, async () => {
    for (const index of CLICKS.keys()) {
      const session = await clicked(CLICKS, { flip });
      await session.move(index, 4, 5);
      const there = CLICKS.map((c, i) => (i === index ? { ...c, row: 4, column: 5 } : c));
      assert.deepEqual(session.state, (await clicked(there, { flip })).state);
    }
  });
}

test("only the clicks behind an edited one run the network again, undo none", async () => {
  const { session, names } = fresh();
  for (const { row, column, positive } of CLICKS) await session.click(row, column, positive);
  const runs = (): number => names.splice(0).filter((name) => name === "network").length;
  assert.equal(runs(), 3);
  await session.move(1, 3, 3);
  assert.equal(runs(), 2);
  session.undo();
  session.undo();
  session.redo();
  assert.equal(runs(), 0);
  await session.remove(1);
  assert.equal(runs(), 1);
});

test("an edit after undo forgets what was undone", async () => {
  const session = await clicked(CLICKS);
  session.undo();
  await session.click(5, 5);
  assert.equal(session.canRedo, false);
  assert.throws(() => session.redo(), SessionError);
});

test("every refusal leaves the session as it was", async () => {
  const session = await clicked(CLICKS);
  const before = session.state;
  const refused: (() => unknown)[] = [
    () => session.click(9, 0),
    () => session.click(-0.1, 0),
    () => session.click(0, 11),
    () => session.click(Number.NaN, 0),
    () => session.move(0, 0, 99),
    () => session.move(3, 0, 0),
    () => session.remove(-1),
    () => session.remove(0.5),
    () => session.redo(),
    () => session.setMask(new GivenMask(new Uint8Array(4), [2, 2])),
  ];
  for (const attempt of refused) await assert.rejects(async () => attempt(), SessionError);
  assert.equal(session.state, before);
  await session.click(2, 2);
  await assert.rejects(() => session.click(3, 3), /takes 3 positive clicks/);
  assert.equal(session.clicks.length, 4);
});

test("an engine that fails changes nothing, and the next edit works", async () => {
  const { step } = madeStep();
  let broken = false;
  const session = new Session(
    (name, arrays) => (broken ? Promise.reject(new Error("out of memory")) : step(name, arrays)),
    PIXELS, SIZE, SETTINGS,
  );
  await session.click(1, 1);
  const before = session.state;
  broken = true;
  await assert.rejects(() => session.click(2, 2), /out of memory/);
  assert.equal(session.state, before);
  broken = false;
  await session.click(2, 2);
  assert.equal(session.clicks.length, 2);
});

test("edits at the same time are refused instead of losing one", async () => {
  const { session } = fresh();
  const first = session.click(1, 1);
  const second = session.click(2, 2);
  assert.throws(() => session.undo(), /still being answered/);
  await assert.rejects(second, /still being answered/);
  await first;
  assert.deepEqual(session.clicks.map((c) => c.row), [1]);
});

test("a mask in blocks of any screen is the mask in one piece", async () => {
  const whole = await (await clicked(CLICKS)).maskAt(...ALL);
  assert.ok(whole.some((v) => v) && whole.some((v) => !v));
  for (const screen of [[1, 1], [2, 3], [4, 11], [9, 4], [20, 30]] as const) {
    const { session } = fresh({}, screen);
    for (const { row, column, positive } of CLICKS) await session.click(row, column, positive);
    assert.deepEqual(await session.maskAt(...ALL), whole);
  }
});

test("an external mask is shown until the first click, and again after undo", async () => {
  const { session, names } = fresh();
  const values = new Uint8Array(99);
  for (const at of [12, 13, 24, 25]) values[at] = 255;
  await session.setMask(new GivenMask(values, SIZE));
  assert.deepEqual([...(await session.maskAt(...ALL))], [...values].map((v) => v / 255));
  await session.click(1, 1);
  assert.ok(names.includes("begin"));
  session.undo();
  assert.deepEqual([...(await session.maskAt(...ALL))], [...values].map((v) => v / 255));
  assert.equal(session.canUndo, false);
  session.reset();
  assert.ok((await session.maskAt(...ALL)).every((v) => v === 0));
});

test("where graphs declare a longer photo, the mask that is started from is as long", async () => {
  const lengths: number[] = [];
  const step: Step = async (name, arrays) => {
    if (name === "begin") lengths.push(arrays.mask.length);
    return madeStep().step(name, arrays);
  };
  const session = new Session(step, new Uint8Array(3 * 500), SIZE, SETTINGS);
  const values = new Uint8Array(99).fill(255, 30, 40);
  await session.setMask(new GivenMask(values, SIZE));
  assert.deepEqual(lengths, [500]);
  assert.deepEqual([...(await session.maskAt(...ALL))], [...values].map((v) => v / 255));
});

test("a model without previous mask cannot start from one", async () => {
  const { session } = fresh({ previousMask: false });
  await assert.rejects(() => session.setMask(new GivenMask(new Uint8Array(99), SIZE)), /no previous mask/);
});
