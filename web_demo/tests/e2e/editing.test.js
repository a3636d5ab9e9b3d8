import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Person, eventually, folder, launch, model, reopen, ritmEdge, sample, startDemo } from "./harness.js";

let browser, demo;
before(async () => ([browser, demo] = [await launch(), await startDemo()]));
after(async () => {
  await browser?.close();
  await demo?.stop();
});

async function withSample(work, options) {
  const person = await Person.at(browser, demo.address, options);
  await person.openSample();
  await work(person);
  assert.deepEqual(await person.close(), []);
}

test("clicks on the sample give the mask that Python computes, and nothing goes elsewhere", () =>
  withSample(async (person) => {
    assert.match(await person.page.textContent("#engine"), /lite0 fp32.*threads?/);
    await person.click(100, 225);
    await person.click(225, 225, "right");
    await person.click(60.4, 260);
    const log = await person.save("clicks");
    const mask = await person.save("mask");
    const expected = join(folder, "python.mask.png");
    ritmEdge("predict", sample, "--clicks", log, "--artifact", model, "--session-graphs", "-o", expected);
    const share = reopen("picture", expected).share;
    assert.ok(share > 0.005 && share < 0.9, `the object covers ${share}`);
    assert.ok(reopen("differing", mask, expected).share <= 1e-4);
    assert.deepEqual(reopen("picture", mask).values, [0, 255]);
    assert.deepEqual((await person.clicks()).map((c) => c[2]), [true, false, true]);
    const elsewhere = person.requests.filter((url) => !url.startsWith(demo.address) && !url.startsWith("blob:"));
    assert.deepEqual(elsewhere, []);
  }));

test("undo, redo, move and delete, by button, key and drag", () =>
  withSample(async (person) => {
    const { page } = person;
    await person.click(100, 225);
    const first = await person.saved("mask");
    await person.click(225, 225, "right");
    const second = await person.saved("mask");
    assert.notDeepEqual(first, second);
    await page.click("#undo");
    await person.settled(1);
    assert.deepEqual(await person.saved("mask"), first);
    await page.keyboard.press("Control+Shift+Z");
    await person.settled(2);
    assert.deepEqual(await person.saved("mask"), second);
    await page.keyboard.press("Control+z");
    await person.settled(1);
    await page.click("#redo");
    await person.settled(2);

    const [from, to] = [await person.place(225, 225), await person.place(300, 100)];
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move((from.x + to.x) / 2, to.y);
    await page.mouse.move(to.x, to.y);
    await page.mouse.up();
    await person.settled(2);
    assert.deepEqual(await person.clicks(), [[100, 225, true], [300, 100, false]]);
    await page.keyboard.press("Control+z");
    await person.settled(2);
    assert.deepEqual(await person.saved("mask"), second);

    const box = await page.locator("#stage").boundingBox();
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(box.x + 30, box.y + 30);
    await page.mouse.move(box.x + 4, box.y + 4);
    await page.mouse.up();
    await person.settled(1);
    assert.deepEqual(await person.saved("mask"), first);

    const at = await person.place(100, 225);
    await page.mouse.click(at.x, at.y);
    await page.click("#delete");
    await person.settled(0);
    assert.equal(reopen("picture", await person.save("mask")).share, 0);
  }));

test("a click in a zoomed and moved view is where it is seen", () =>
  withSample(async (person) => {
    const { page } = person;
    const frame = await person.frame();
    const near = await person.place(200, 300);
    const [x, y] = [Math.round(near.x), Math.round(near.y)]; // the positions of a wheel are whole
    const [row, column] = [Math.floor((y - frame.y) / frame.scale), Math.floor((x - frame.x) / frame.scale)];
    await page.mouse.move(x, y);
    for (let i = 0; i < 5; i++) await page.mouse.wheel(0, -200);
    await page.mouse.click(x, y);
    await person.settled(1);
    await page.keyboard.down("Space");
    await page.mouse.down();
    await page.mouse.move(x + 50, y + 40);
    await page.mouse.move(x + 97, y + 61);
    await page.mouse.up();
    await page.keyboard.up("Space");
    await page.mouse.click(x + 97, y + 61 + 40, { button: "right" });
    await person.settled(2);
    const clicks = await person.clicks();
    assert.deepEqual(clicks[0], [row, column, true]);
    assert.equal(clicks[1][1], column);
    assert.ok(clicks[1][0] > row && clicks[1][0] < row + 6, `row ${clicks[1][0]}`);
  }));

test("objects have names and colours, and every export is read by its library", () =>
  withSample(async (person) => {
    const { page } = person;
    await person.click(100, 225);
    await page.fill("[aria-label='Name of object 1']", "head");
    await page.keyboard.press("Tab");
    await page.click("#next");
    await person.click(430, 60);
    await person.click(380, 100);
    await page.fill("[aria-label='Name of object 2']", "flag / left");
    await page.keyboard.press("Tab");
    const labels = await person.save("labels");
    const found = reopen("picture", labels);
    assert.deepEqual([found.size, found.mode], [[512, 512], "L"]);
    assert.deepEqual(found.values, [0, 1, 2]);
    const { annotations } = reopen("coco", await person.save("coco"), labels);
    assert.deepEqual(annotations.map((each) => each.name), ["head", "flag / left"]);
    for (const each of annotations) assert.ok(each.differing < 0.002 && each.area > 50, JSON.stringify(each));
    const mask = await person.save("mask");
    assert.match(mask, /flag-left\.mask\.png$/);
    const cutOut = await person.save("cutout");
    assert.equal(reopen("picture", cutOut).mode, "RGBA");
    assert.equal(reopen("differing", cutOut, mask).share, 0);
    assert.equal((await person.clicks()).length, 2);
    await page.click("[aria-label='Edit head']");
    assert.deepEqual(await person.clicks(), [[100, 225, true]]);
    await page.click("[aria-label='Delete head']");
    await person.until(() => document.querySelectorAll("#objects li").length === 1);
    assert.equal((await person.clicks()).length, 2);
  }));

test("a mask file is the start, and its correction is what Python computes", () =>
  withSample(async (person) => {
    const given = join(folder, "given.png");
    reopen("make", given, "mask");
    await person.open("mask", given);
    await person.says(/everything but black/);
    assert.equal(reopen("differing", await person.save("mask"), given).share, 0);
    await person.click(320, 250);
    const expected = join(folder, "corrected.png");
    const log = await person.save("clicks");
    ritmEdge("predict", sample, "--mask", given, "--clicks", log, "--artifact", model, "--session-graphs", "-o", expected);
    assert.ok(reopen("differing", await person.save("mask"), expected).share <= 1e-4);
    await person.page.click("#undo");
    await person.settled(0);
    assert.equal(reopen("differing", await person.save("mask"), given).share, 0);
  }));

test("averaged with the mirrored photo, masks are those of Python with --flip", () =>
  withSample(async (person) => {
    await person.click(100, 225);
    await person.click(225, 225, "right");
    const plain = await person.saved("mask");
    await person.page.click("#flip");
    await person.settled(2);
    const averaged = await person.save("mask");
    assert.notDeepEqual(readFileSync(averaged), plain);
    const log = await person.save("clicks");
    assert.equal(JSON.parse(readFileSync(log)).settings.flip, true);
    const expected = join(folder, "averaged.png");
    ritmEdge("predict", sample, "--clicks", log, "--artifact", model, "--session-graphs", "-o", expected);
    assert.ok(reopen("differing", averaged, expected).share <= 1e-4);
    await person.page.click("#flip");
    await person.settled(2);
    assert.deepEqual(await person.saved("mask"), plain);
  }));

test("photos come by drop and by paste, and what is open is closed on demand only", () =>
  withSample(async (person) => {
    const { page } = person;
    const bring = (event, name) =>
      page.evaluate(
        async ([event, name]) => {
          const file = new File([await (await fetch("sample.jpg")).blob()], name, { type: "image/jpeg" });
          const data = new DataTransfer();
          data.items.add(file);
          const options = { bubbles: true, cancelable: true };
          const made = event === "paste" ? new ClipboardEvent(event, { ...options, clipboardData: data }) : new DragEvent(event, { ...options, dataTransfer: data });
          document.getElementById("stage").dispatchEvent(made);
        },
        [event, name],
      );
    await bring("drop", "dropped.jpg");
    await person.says(/^dropped\.jpg: 512 × 512/);
    await bring("paste", "pasted.jpg");
    await person.says(/^pasted\.jpg: 512 × 512/);
    await person.click(100, 225);
    person.answer = false; // to "Close this photo and its objects?"
    await bring("drop", "other.jpg");
    await person.settled(1);
    assert.match(await person.save("mask"), /pasted\.object-1\.mask\.png$/);
    person.answer = true;
    await bring("drop", "other.jpg");
    await person.says(/^other\.jpg: 512 × 512/);
    assert.equal(await person.count(), 0);
  }));

test("opacity, contour, colour and cut-out are seen", () =>
  withSample(async (person) => {
    const { page } = person;
    await person.click(100, 225);
    const [inside, outside] = [await person.place(150, 225), await person.place(20, 20)];
    const colours = () =>
      page.evaluate((points) => {
        const stage = document.getElementById("stage");
        const box = stage.getBoundingClientRect();
        const at = (p) => [...stage.getContext("2d").getImageData((p.x - box.x) * devicePixelRatio, (p.y - box.y) * devicePixelRatio, 1, 1).data];
        return points.map(at);
      }, [inside, outside]);
    const seen = (wanted) => eventually(async () => wanted(...(await colours()).map(String)));
    const beside = String((await colours())[1]);
    await page.locator("#opacity").fill("100");
    await seen((object, other) => object === "31,119,255,255" && other === beside);
    await page.locator("[aria-label='Colour of object 1']").fill("#00ff00");
    await seen((object, other) => object === "0,255,0,255" && other === beside);
    await page.locator("#opacity").fill("0");
    await seen((object, other) => object !== "0,255,0,255" && other === beside);
    const photo = String((await colours())[0]);
    await page.click("#cut-out");
    await seen((object, other) => object === photo && ["205,205,205,255", "245,245,245,255"].includes(other));
  }));

test("everything works by keyboard, and every control has a name", () =>
  withSample(async (person) => {
    const { page } = person;
    await page.focus("#stage");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+ArrowUp");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await person.settled(1);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Shift+Enter");
    await person.settled(2);
    assert.deepEqual(await person.clicks(), [[226, 255, true], [227, 255, false]]);
    await page.focus("#stage");
    await page.keyboard.press("c");
    await page.keyboard.press("Delete");
    await person.settled(1);
    await page.keyboard.press("n");
    await person.until(() => document.querySelectorAll("#objects li").length === 2);
    await page.keyboard.press("?");
    assert.ok(await page.isVisible("#help-box"));
    await page.keyboard.press("Escape");
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, canvas, progress")]
        .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
        .map((e) => e.outerHTML),
    );
    assert.deepEqual(nameless, []);
  }));

test("on a phone: tap, long press, pinch, and nothing beside the screen", () =>
  withSample(
    async (person) => {
      const { page } = person;
      const touch = await person.context.newCDPSession(page);
      const send = (type, ...points) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      const tap = await person.place(100, 225);
      await page.touchscreen.tap(tap.x, tap.y);
      await person.settled(1);
      const press = await person.place(300, 400);
      await send("touchStart", press);
      await person.settled(2);
      await send("touchEnd");
      const clicks = await person.clicks();
      assert.deepEqual(clicks.map((c) => c[2]), [true, false]);
      for (const [[row, column], wanted] of [[clicks[0], [100, 225]], [clicks[1], [300, 400]]])
        assert.ok(Math.abs(row - wanted[0]) < 3 && Math.abs(column - wanted[1]) < 3, `${row}, ${column}`);
      const middle = await person.place(256, 256);
      const fingers = (distance) => [-1, 1].map((side, id) => ({ x: middle.x + side * distance, y: middle.y, id }));
      await send("touchStart", ...fingers(40));
      for (const distance of [60, 80, 100, 120]) await send("touchMove", ...fingers(distance));
      await send("touchEnd");
      await person.settled(2);
      await page.touchscreen.tap(middle.x + 60, middle.y);
      await person.settled(3);
      const [row, column] = (await person.clicks())[2];
      const plain = 256 + 60 / (await person.frame()).scale;
      assert.ok(column < plain - 20 && column > 260 && Math.abs(row - 256) < 4, `${row}, ${column}, without zoom ${plain}`);
    },
    { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  ));
