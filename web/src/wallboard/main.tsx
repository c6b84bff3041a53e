import { render } from "solid-js/web";
import "../ui/base.css";
import "./wallboard.css";
import { Wallboard } from "./Wallboard";

const root = document.getElementById("app");
if (root) render(() => <Wallboard />, root);
