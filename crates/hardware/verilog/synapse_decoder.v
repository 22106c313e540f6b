// Decodes one entry of the hardware profile: the tap that it belongs to, and the weight. Combinational: an adder and,
// for grouped weights, a small table.
`default_nettype none

module synapse_decoder #(
    parameter GAP_BITS = 4,
    parameter CODE_BITS = 4,
    parameter TAP_BITS = 16,
    parameter WEIGHT_BITS = 16,
    // Words of the codebook; 0 where codes are the weights themselves.
    parameter CODEBOOK_WORDS = 0,
    parameter CODEBOOK_BITS = 1,
    parameter CODEBOOK_FILE = ""
) (
    // Gap above code.
    input  wire        [GAP_BITS+CODE_BITS-1:0] entry,
    // The first tap that no entry before this one stood for; 0 at the beginning of an output.
    input  wire        [TAP_BITS-1:0]           position,
    output wire        [TAP_BITS-1:0]           tap,
    output wire signed [WEIGHT_BITS-1:0]        weight,
    // The position of the next entry.
    output wire        [TAP_BITS-1:0]           next
);
    wire [CODE_BITS-1:0] code = entry[CODE_BITS-1:0];

    // A shift, because a gap may have no bits.
    assign tap = position + (entry >> CODE_BITS);
    assign next = tap + 1'b1;

    generate
        if (CODEBOOK_WORDS == 0) begin : plain
            assign weight = $signed(code);
        end else begin : grouped
            reg signed [CODEBOOK_BITS-1:0] codebook [0:CODEBOOK_WORDS-1];
            initial $readmemh(CODEBOOK_FILE, codebook);
            assign weight = codebook[code];
        end
    endgenerate
endmodule

`default_nettype wire
