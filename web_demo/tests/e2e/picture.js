/** README's picture of the page: node tests/e2e/picture.js OUT.png MODEL.tflite (`make web-picture`). */

import { resolve } from "node:path";
import { Person, launch, startDemo } from "./harness.js";

const [out, model] = process.argv.slice(2).map((name) => resolve(process.env.INIT_CWD ?? ".", name));
const demo = await startDemo(model);
const browser = await launch();
const person = await Person.at(browser, demo.address, { viewport: { width: 1180, height: 700 } });
await person.openSample();
await person.click(100, 225);
await person.click(225, 225, "right");
// Once more, since the engine gets ready during the first clicks.
await person.page.click("#undo");
await person.settled(1);
await person.click(225, 225, "right");
await person.page.fill("#objects input[type=text]", "head");
await person.page.locator("#stage").focus();
await person.page.screenshot({ path: out });
await browser.close();
await demo.stop();
