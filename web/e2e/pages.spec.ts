/** Wallboard, audit, log-in, set-up; every page by axe, at every width, without a text beside the catalogue. */
import AxeBuilder from "@axe-core/playwright";
import { at, expect, lever, test } from "./support";

test("wallboard: at most twelve tiles, letters of 64 px and more, nothing cut off", async ({ page }) => {
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.goto(at("wall", "/wallboard"));
  await expect(page.locator(".tile").first()).toBeVisible();
  const tiles = await page.locator(".tile").evaluateAll((all) =>
    all.map((tile) => {
      const size = (part: string) => Number.parseFloat(getComputedStyle(tile.querySelector(part) as Element).fontSize);
      const box = tile.getBoundingClientRect();
      const inner = (tile.querySelector(".line") as Element).getBoundingClientRect();
      return {
        name: size(".name"),
        seconds: size(".seconds"),
        fits: inner.bottom <= box.bottom && box.bottom <= innerHeight,
      };
    }),
  );
  expect(tiles.length).toBeLessThanOrEqual(12);
  for (const tile of tiles) {
    // Digits and capitals of the typeface are 0.727 of its size: these are 64 px of ink, not of box.
    expect(tile.name * 0.727).toBeGreaterThanOrEqual(63.9);
    expect(tile.seconds * 0.727).toBeGreaterThanOrEqual(63.9);
    expect(tile.fits).toBe(true);
  }
});

test("wallboard: calm counts when nothing is wrong, and says when it is not current", async ({ page }) => {
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.goto(at("calm", "/wallboard"));
  await expect(page.getByText("No alerts")).toBeVisible();
  await lever(page, "calm", "set", { frozen: true });
  await expect(page.locator(".stale")).toContainText("Not current");
  await lever(page, "calm", "set", { frozen: false });
  await expect(page.locator(".stale")).toBeEmpty();
});

test("audit: who listened to whom, filters, more, one call, verify", async ({ page }) => {
  await page.goto(at("demo", "/audit"));
  const rows = page.locator("tbody tr");
  await expect(rows).toHaveCount(50);
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(rows).toHaveCount(100);
  const stopped = rows.filter({ hasText: "Stopped listening" }).first();
  await expect(stopped).toContainText(/(Sam Taylor|Kim Park|Alex Novak).*Anna Berg.*1:23.*0:04.*192\.0\.2\.14/);
  await stopped.getByRole("button").click();
  await page.getByRole("button", { name: "All entries of this call" }).click();
  await expect(rows).toHaveCount(1);
  await page.getByRole("button", { name: "All calls" }).click();
  await expect(rows).toHaveCount(50);
  await page.getByRole("combobox", { name: "Kind" }).selectOption("login");
  await expect(rows).toHaveCount(20);
  await expect(rows.first()).toContainText("Signed in");
  await page.getByRole("searchbox", { name: "User" }).fill("kim");
  await page.getByRole("button", { name: "Show" }).click();
  await expect(rows.filter({ hasText: "Kim Park" })).not.toHaveCount(0);
  await expect(rows.filter({ hasNotText: "Kim Park" })).toHaveCount(0);
  await page.getByLabel("To day").fill("2026-11-01");
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page.getByText("No entries")).toBeVisible();
  await page.getByRole("button", { name: "Verify chain" }).click();
  await expect(page.getByText("The chain is intact")).toBeVisible();
  await page.goto(at("guest", "/audit"));
  await page.getByRole("button", { name: "Verify chain" }).click();
  await expect(page.getByText("The chain is broken: 1 finding")).toBeVisible();
});

test("log-in: the way there and back, and a wrong password", async ({ page }) => {
  await page.goto(at("guest", "/?filter=1"));
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("User name").fill("sam");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText("User name or password is wrong");
  await page.getByLabel("Password").fill("secret");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/\?filter=1$/);
  await expect(page.locator(".row")).toHaveCount(8);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/login$/);
});

test("set-up: the token from the address, passwords that differ, a wrong token", async ({ page }) => {
  await page.goto(at("guest", "/setup#token=nothing"));
  await expect(page.getByLabel("Set-up token")).toHaveValue("nothing");
  await page.getByLabel("User name").fill("sam");
  await page.getByLabel("Full name").fill("Sam Taylor");
  await page.getByLabel("Password", { exact: true }).fill("secret");
  await page.getByLabel("Repeat password").fill("other");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await expect(page.getByRole("alert")).toHaveText("The passwords differ");
  await page.getByLabel("Repeat password").fill("secret");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await expect(page.getByRole("alert")).toContainText("token is wrong");
});

for (const [world, path, shown] of [
  ["demo", "/", ".row"],
  ["empty", "/", ".empty"],
  ["wall", "/wallboard", ".tile"],
  ["calm", "/wallboard", ".calm"],
  ["demo", "/audit", "tbody tr"],
  ["guest", "/login", "form"],
  ["guest", "/setup", "form"],
] as const) {
  test(`axe: ${world} ${path}`, async ({ page }) => {
    const faults = async (checks: AxeBuilder) =>
      (await checks.analyze()).violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`,
      );
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(at(world, path));
    await expect(page.locator(shown).first()).toBeVisible();
    if (path === "/" && world === "demo") await page.keyboard.press("ArrowDown");
    expect(await faults(new AxeBuilder({ page }))).toEqual([]);
    // The other scheme differs in colours alone.
    await page.emulateMedia({ colorScheme: "light" });
    expect(await faults(new AxeBuilder({ page }).withRules(["color-contrast"]))).toEqual([]);
  });
}

for (const [path, shown] of [
  ["/", ".row"],
  ["/wallboard", ".tile"],
  ["/audit", "tbody tr"],
  ["/login", "form"],
  ["/setup", "form"],
] as const) {
  test(`${path} does not scroll sideways at 390 px, also with long words`, async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const query of ["", "?lang=pseudo"]) {
      await page.goto(at("demo", path + query));
      await expect(page.locator(shown).first()).toBeVisible();
      await page.evaluate(() => document.fonts.ready);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    }
  });
}
