// Runs one layer of an export on a golden input and compares every bit of its output with the golden one. Compile it
// in the folder of the export, with the macros LAYER (the layer's parameters, "layers/NNN_NAME.vh") and GOLDEN (the
// folder of an image's golden vectors, "golden/N/"). Ends with exit code 0 and a line that begins with PASS, or with
// code 1.
`default_nettype none

module synapse_test;
    `include `LAYER

    // What a layer does not have.
    localparam IN_SIZE = IN_CHANNELS * IN_HEIGHT * IN_WIDTH;
    localparam OUT_SIZE = OUT_CHANNELS * OUT_HEIGHT * OUT_WIDTH;

    reg [IN_BITS-1:0] inputs [0:IN_SIZE-1];
    reg [OUT_BITS-1:0] golden [0:OUT_SIZE-1];
    initial begin
        $readmemh({`GOLDEN, INPUT, ".output.memh"}, inputs);
        $readmemh({`GOLDEN, OUTPUT, ".output.memh"}, golden);
    end

    reg clock = 0, start = 0;
    wire done, out_valid;
    wire [31:0] in_address, out_address;
    wire [OUT_BITS-1:0] out_code;
    synapse_layer #(
        .IN_CHANNELS(IN_CHANNELS), .IN_HEIGHT(IN_HEIGHT), .IN_WIDTH(IN_WIDTH),
        .OUT_CHANNELS(OUT_CHANNELS), .OUT_HEIGHT(OUT_HEIGHT), .OUT_WIDTH(OUT_WIDTH),
        .GROUPS(GROUPS), .KERNEL_HEIGHT(KERNEL_HEIGHT), .KERNEL_WIDTH(KERNEL_WIDTH),
        .STRIDE_Y(STRIDE_Y), .STRIDE_X(STRIDE_X), .PAD_Y(PAD_Y), .PAD_X(PAD_X),
        .DILATION_Y(DILATION_Y), .DILATION_X(DILATION_X),
        .IN_BITS(IN_BITS), .IN_SIGNED(IN_SIGNED), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED),
        .GAP_BITS(GAP_BITS), .CODE_BITS(CODE_BITS), .ENTRIES(ENTRIES), .ROW_BITS(ROW_BITS),
        .CODEBOOK_WORDS(CODEBOOK_WORDS), .CODEBOOK_BITS(CODEBOOK_BITS),
        .BIAS_BITS(BIAS_BITS), .BIAS_SHIFT(BIAS_SHIFT), .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .OUT_SHIFT(OUT_SHIFT),
        .WEIGHTS_FILE(WEIGHTS_FILE), .ROWS_FILE(ROWS_FILE), .CODEBOOK_FILE(CODEBOOK_FILE), .BIAS_FILE(BIAS_FILE)
    ) layer (
        .clock(clock), .start(start), .done(done), .in_address(in_address), .in_code(inputs[in_address]),
        .out_valid(out_valid), .out_address(out_address), .out_code(out_code)
    );

    always #1 clock = ~clock;

    // Every entry once for each position of the window, and two clocks around an output; a damaged row table takes more.
    localparam [63:0] LIMIT = 64'd1 * ENTRIES * OUT_HEIGHT * OUT_WIDTH + 64'd2 * OUT_SIZE + 16;
    integer seen = 0, wrong = 0;
    reg [63:0] clocks = 0;
    always @(negedge clock) begin
        clocks = clocks + 1;
        if (out_valid) begin
            seen = seen + 1;
            // Case inequality: an unknown bit is a difference too.
            if (out_code !== golden[out_address]) begin
                wrong = wrong + 1;
                if (wrong <= 5) $display("output %0d of %0s is %h, golden %h", out_address, OUTPUT, out_code, golden[out_address]);
            end
        end
        if (clocks > LIMIT) begin
            $display("FAIL %0s: not done after %0d clocks", OUTPUT, clocks);
            $finish_and_return(1);
        end
        if (done && !out_valid) begin
            if (wrong == 0 && seen == OUT_SIZE) begin
                $display("PASS %0s: %0d outputs, %0d clocks", OUTPUT, seen, clocks);
                $finish_and_return(0);
            end
            $display("FAIL %0s: %0d of %0d outputs differ, %0d expected", OUTPUT, wrong, seen, OUT_SIZE);
            $finish_and_return(1);
        end
    end

    initial begin
        @(negedge clock) start = 1;
        @(negedge clock) start = 0;
    end
endmodule

`default_nettype wire
